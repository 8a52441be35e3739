"""The learning rate of a step, by one formula for all adapters. It is written in functions that JAX
and TensorFlow call by the same names, and HOST too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sin, sqrt
from types import SimpleNamespace
from typing import Any

from backends.base import Array
from tasks.spec import Optimizer

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
    if optimizer.schedule in SHARES:
        now = now * SHARES[optimizer.schedule](optimizer, step, xp)
    for milestone in optimizer.milestones:
        one = xp.ones_like(step)
        now = now / xp.where(step > milestone, 10.0 * one, one)
    return now


def inverse_sqrt(optimizer: Optimizer, step: Array, xp: Any) -> Array:
    """What the rate is multiplied by."""
    peak = float(max(optimizer.warmup_steps, 1))
    return xp.sqrt(peak / xp.maximum(step, peak))


def cosine(optimizer: Optimizer, step: Array, xp: Any) -> Array:
    """As a sine of what is left of the way it keeps its digits to the end: of 1 + cos(π p) float32
    keeps none once p is within 1e-4 of 1.
    """
    assert optimizer.decay_steps is not None
    first, last = float(optimizer.warmup_steps), float(optimizer.decay_steps)
    left = (last - xp.minimum(xp.maximum(step, first), last)) / (last - first)
    return xp.sin(pi / 2 * left) ** 2


SHARES: dict[str, Callable[[Optimizer, Array, Any], Array]] = {
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
}
