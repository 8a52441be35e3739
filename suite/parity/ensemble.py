"""The null ensemble: what correct arithmetic of a precision makes of the same values.

The reference computes in that precision from parameters moved by a unit in its last place, up or
down at random, several times. How far its members stray from the float64 truth is the unit in which
a backend's error in that precision is told. A fixed tolerance would have to know the model: errors
of correct float32 gradients differ by orders of magnitude between layers. Moving the values and
computing in float64 would not do either: the roundings on the way are most of the error.

How training goes on is the distance of the parameters from the float64 reference's, step by step.

The distance is ‖θ - θ₆₄‖ / ‖θ₆₄ - θ₀‖ over the parameters that training moves. Those whose gradient
is 0 but for rounding, such as the bias of attention's keys, are left out: an optimizer that divides
by the gradient's size makes whole steps of that rounding, and hides everything else (distances of
1.6e-3 in place of 1.2e-5 after one step of AdamW).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from backends.base import PRECISIONS
from suite.engine.arrays import Arrays, read, write
from suite.parity.compare import Errors
from suite.parity.findings import Findings
from tasks.base import Task
from tasks.parameters import uniform

MEMBERS = {False: 8, True: 3}  # of small and of large models
TRAININGS = {False: 5, True: 2}  # of them that train
LARGE = 2e9  # operations of a training step; the reference does 1e10 a second and core
CHECKPOINTS = {False: (1, 2, 5, 10, 20, 50), True: (1, 2, 5)}  # of small and of large models
STEPS = 10  # after which the function's parameters are compared, or after the last checkpoint
CHAOS = 1e-2  # the distance between members from which rounding has made other trainings
STILL = 1e-9  # a gradient's norm over that of the same sum of absolute values, when it should be 0


def is_large(task: Task) -> bool:
    """Does the reference take so long that fewer members and steps must do?"""
    return 3 * task.model.flops() * task.batch_size > LARGE


@dataclass
class Null:
    """The greatest error of the members, by part/path, in a precision whose rounding errs by
    ``unit``.
    """

    unit: float
    errors: Errors

    def ratios(self, errors: Errors) -> Errors:
        """These errors in units of the ensemble's, at least of one rounding; what no member tells
        is left out.
        """
        return {
            key: error / max(self.errors[key], self.unit)
            for key, error in errors.items()
            if key in self.errors
        }


@contextmanager
def moved(file: str, member: int, precision: str) -> Iterator[str]:
    """A file beside this .npz file, while it is needed: every value is moved to a neighbour in
    float64 or float32, or in narrower precisions half a unit so that it is rounded up or down.
    """
    arrays = {
        name: _neighbour(array, uniform(member, f"moved {name}", array.shape) > 0, precision)
        for name, array in read(file).items()
    }
    with TemporaryDirectory(dir=Path(file).parent) as folder:
        yield write(f"{folder}/moved.npz", arrays)


def _neighbour(
    array: NDArray[np.float64], up: NDArray[np.bool_], precision: str
) -> NDArray[np.float64]:
    if precision not in ("float64", "float32"):
        return array * (1 + np.where(up, 1, -1) * PRECISIONS[precision].unit)
    towards = np.where(up, np.inf, -np.inf).astype(precision)
    moved: NDArray[np.float64] = np.nextafter(array.astype(precision), towards).astype(np.float64)
    return moved


@dataclass(frozen=True, kw_only=True)
class NullCourse:
    """The greatest distance of the null ensemble's members at each checkpoint, and the step from
    which its members are further apart than CHAOS, if there is one.
    """

    distances: list[float]
    horizon: int | None


def checkpoints(task: Task) -> list[int]:
    """The steps after which parameters are compared."""
    return list(CHECKPOINTS[is_large(task)])


def steps(task: Task) -> int:
    """After how many of them the function's parameters are compared."""
    return min(STEPS, checkpoints(task)[-1])


def moving(task: Task, wanted: Findings) -> list[str]:
    """The parameters that training moves by more than rounding."""
    return [
        path
        for path in task.model.parameters()
        if np.linalg.norm(wanted.capture[f"gradients/{path}"]) > STILL * wanted.scales[path]
    ]


def distances(
    found: Iterable[Arrays], wanted: Iterable[Arrays], start: Mapping[str, object], among: list[str]
) -> list[float]:
    """The distance at each checkpoint; infinite where a parameter is missing or misshapen."""
    return [
        _norm(mine, right, among) / _norm(right, start, among)
        for mine, right in zip(found, wanted, strict=True)
    ]


def null_course(
    members: Iterable[Iterable[Arrays]],
    wanted: Sequence[Arrays],
    start: Arrays,
    among: list[str],
    steps: Sequence[int],
) -> NullCourse:
    """What the ensemble's trainings show: at least two. Of each but the first one checkpoint at a
    time is looked at, which may be large.
    """
    trainings = iter(members)
    first = list(next(trainings))
    gone = [_norm(right, start, among) for right in wanted]
    each = [distances(first, wanted, start, among)]
    apart: list[list[float]] = []
    for member in trainings:
        pairs = [
            (_norm(mine, right, among), _norm(mine, other, among))
            for mine, right, other in zip(member, wanted, first, strict=True)
        ]
        each.append([far / way for (far, _), way in zip(pairs, gone, strict=True)])
        apart.append([far / way for (_, far), way in zip(pairs, gone, strict=True)])
    chaotic = [median(column) > CHAOS for column in zip(*apart, strict=True)]
    return NullCourse(
        distances=[max(column) for column in zip(*each, strict=True)],
        horizon=next((step for step, lost in zip(steps, chaotic, strict=True) if lost), None),
    )


def _norm(left: Mapping[str, object], right: Mapping[str, object], among: list[str]) -> float:
    """‖left - right‖ over these paths."""
    total = 0.0
    for path in among:
        a, b = np.asarray(left.get(path, np.nan)), np.asarray(right[path])
        if a.shape != b.shape:
            return float("inf")
        total += float(np.sum((a - b) ** 2))
    return total**0.5 if np.isfinite(total) else float("inf")
