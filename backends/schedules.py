"""The learning rate of a step, by one formula for all adapters. It is written in functions that JAX
and TensorFlow call by the same names, and HOST too.
"""

from __future__ import annotations

from functools import singledispatch
from math import pi, sin, sqrt
from types import SimpleNamespace
from typing import Any

from backends.base import Array, NotSupported
from tasks.spec import Cosine, InverseSquareRoot, Optimizer, Schedule

HOST = SimpleNamespace(  # of Python's numbers
    minimum=min,
    maximum=max,
    sqrt=sqrt,
    sin=sin,
    ones_like=lambda step: 1.0,
    where=lambda condition, one, other: one if condition else other,
)


def rate(optimizer: Optimizer, step: Array, xp: Any = HOST) -> Any:
    """The learning rate of this step, which counts from 1, with warm-up, schedule and milestones.
    ``xp`` is the namespace that computes with such steps. JAX's and TensorFlow's are reals: JAX
    divides integers in float32, also in a float64 program.
    """
    now: Any = optimizer.learning_rate
    if optimizer.warmup_steps:
        length = float(optimizer.warmup_steps)
        now = now * (xp.minimum(step, length) / length)
    if optimizer.schedule is not None:
        now = now * share(optimizer.schedule, step, float(optimizer.warmup_steps), xp)
    for milestone in optimizer.milestones:
        one = xp.ones_like(step)
        now = now / xp.where(step > milestone, 10.0 * one, one)
    return now


@singledispatch
def share(schedule: Schedule, step: Array, warmup_steps: float, xp: Any) -> Array:
    """What the rate is multiplied by, by the type of the schedule's spec."""
    raise NotSupported(f"there is no schedule {type(schedule).__name__}")


@share.register
def inverse_square_root(
    schedule: InverseSquareRoot, step: Array, warmup_steps: float, xp: Any
) -> Array:
    """spec.InverseSquareRoot."""
    peak = max(warmup_steps, 1.0)
    return xp.sqrt(peak / xp.maximum(step, peak))


@share.register
def cosine(schedule: Cosine, step: Array, warmup_steps: float, xp: Any) -> Array:
    """spec.Cosine. As a sine of what is left of the way it keeps its digits to the end: of
    1 + cos(π p) float32 keeps none once p is within 1e-4 of 1.
    """
    last = float(schedule.decay_steps)
    left = (last - xp.minimum(xp.maximum(step, warmup_steps), last)) / (last - warmup_steps)
    return xp.sin(pi / 2 * left) ** 2
