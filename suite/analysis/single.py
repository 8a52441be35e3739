"""Ratios of what is measured once in each of two arms, judged by how far such single measurements
of identical code lie apart. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, hypot, log
from statistics import median

from suite.analysis.statistics import Estimate, student, two_sided
from suite.analysis.unpaired import ENOUGH, NORMAL


@dataclass(frozen=True, kw_only=True)
class Scatter:
    """How far two single measurements of identical code lie apart: the standard deviation of the
    logarithm of their ratio, at least ``floor``, ``alone`` where too few cells show it, and an
    ``amount`` of its unit. Within ``delta`` they are equivalent.

    Of 18 pairs of identical arms (three frameworks, compiled, tiny tasks, two busy cores) the first
    calls' ratios had a standard deviation of 0.27, and one was 0.50. Of 6 pairs in JAX the peaks of
    the processes had one of 0.055, and one ratio was 0.88, though the other five were within 5 %.
    """

    floor: float = 0.0
    alone: float = 0.0
    amount: float = 0.0
    delta: float = 0.05


COMPILE = Scatter(floor=0.10, alone=0.30, amount=0.02, delta=0.35)
PROCESS = Scatter(floor=0.05, alone=0.05, amount=2.0 * 2**20, delta=0.20)
COUNTED = Scatter()  # by the framework: the same each time


def changes(pairs: Sequence[tuple[float, float]], scatter: Scatter) -> list[tuple[Estimate, float]]:
    """The ratio of each two values, new / base, with its interval, and how likely chance makes it
    so far from 1. What most of them have in common is no scatter.
    """
    logs = [log(new / base) for base, new in pairs]
    share, freedom = scatter.alone, ENOUGH - 1
    if scatter.floor and len(logs) >= ENOUGH:
        apart = [abs(each - median(logs)) for each in logs]
        share, freedom = max(scatter.floor, NORMAL * median(apart)), len(logs) - 1
    found = []
    for (base, _), ratio in zip(pairs, logs, strict=True):
        spread = hypot(share, scatter.amount / base)
        half = student(freedom) * spread
        p_value = two_sided(abs(ratio) / spread, freedom) if spread else float(ratio == 0)
        found.append((Estimate(exp(ratio), exp(ratio - half), exp(ratio + half)), p_value))
    return found
