"""The null ensemble: what correct arithmetic of a precision makes of the same values.

The reference computes in that precision from parameters moved by a unit in its last place, up or
down at random, several times. How far its members stray from the float64 truth is the unit in which
a backend's error in that precision is told. A fixed tolerance would have to know the model: errors
of correct float32 gradients differ by orders of magnitude between layers. Moving the values and
computing in float64 would not do either: the roundings on the way are most of the error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from suite.engine.remote import read
from suite.parity.compare import Errors
from tasks.base import Task
from tasks.parameters import uniform

MEMBERS = {False: 8, True: 3}  # of small and of large models
TRAININGS = {False: 5, True: 2}  # of them that train
LARGE = 2e9  # operations of a training step; the reference does 1e10 a second and core
UNITS = {"float32": 2.0**-24, "tf32": 2.0**-11, "bfloat16": 2.0**-9}  # one rounding's error


def is_large(task: Task) -> bool:
    """Does the reference take so long that fewer members and steps must do?"""
    return 3 * task.model.flops() * task.batch_size > LARGE


@dataclass
class Null:
    """The greatest error of the members, by part/path, in a precision whose rounding errs by
    ``unit``.
    """

    unit: float
    errors: Errors = field(default_factory=dict)

    def add(self, errors: Errors) -> None:
        """Take in another member's."""
        for key, error in errors.items():
            self.errors[key] = max(self.errors.get(key, 0.0), error)

    def ratios(self, errors: Errors) -> Errors:
        """These errors in units of the ensemble's, at least of one rounding; what no member tells
        is left out.
        """
        return {
            key: error / max(self.errors[key], self.unit)
            for key, error in errors.items()
            if key in self.errors
        }


def moved(file: str, member: int, precision: str) -> str:
    """Write the arrays of an .npz file, every value moved to a neighbour in float32, or in narrower
    precisions half a unit so that it is rounded up or down, beside it; the new file's path.
    """
    path = file.replace(".npz", f"-moved-{precision}-{member}.npz")
    arrays = {
        name: _neighbour(array, uniform(member, f"moved {name}", array.shape) > 0, precision)
        for name, array in read(file).items()
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def _neighbour(
    array: NDArray[np.float64], up: NDArray[np.bool_], precision: str
) -> NDArray[np.float64]:
    if precision != "float32":
        return array * (1 + np.where(up, 1, -1) * UNITS[precision])
    towards = np.where(up, np.inf, -np.inf).astype(np.float32)
    return np.nextafter(array.astype(np.float32), towards).astype(np.float64)
