"""How training goes on: the distance of the parameters from the float64 reference's, step by step.

The distance is ‖θ - θ₆₄‖ / ‖θ₆₄ - θ₀‖ over the parameters that training moves. Those whose gradient
is 0 but for rounding, such as the bias of attention's keys, are left out: an optimizer that divides
by the gradient's size makes whole steps of that rounding, and hides everything else (distances of
1.6e-3 in place of 1.2e-5 after one step of AdamW).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from suite.engine.remote import Arrays
from suite.parity.ensemble import is_large
from suite.parity.findings import Findings
from tasks.base import Task

CHECKPOINTS = {False: (1, 2, 5, 10, 20, 50), True: (1, 2, 5)}  # of small and of large models
STEPS = 10  # after which the function's parameters are compared, or after the last checkpoint
CHAOS = 1e-2  # the distance between members from which rounding has made other trainings
STILL = 1e-9  # a gradient's norm over that of the same sum of absolute values, when it should be 0


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
    found: Sequence[Arrays], wanted: Sequence[Arrays], start: Mapping[str, object], among: list[str]
) -> list[float]:
    """The distance at each checkpoint; infinite where a parameter is missing or misshapen."""
    return [
        _norm(mine, right, among) / _norm(right, start, among)
        for mine, right in zip(found, wanted, strict=True)
    ]


def null_course(
    members: Sequence[Sequence[Arrays]],
    wanted: Sequence[Arrays],
    start: Arrays,
    among: list[str],
    steps: Sequence[int],
) -> NullCourse:
    """What the ensemble's trainings show."""
    each = [distances(member, wanted, start, among) for member in members]
    apart = [
        median(_norm(member[n], members[0][n], among) for member in members[1:])
        / _norm(wanted[n], start, among)
        for n in range(len(steps))
    ]
    return NullCourse(
        distances=[max(column) for column in zip(*each, strict=True)],
        horizon=next((step for step, far in zip(steps, apart, strict=True) if far > CHAOS), None),
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
