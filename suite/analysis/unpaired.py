"""Ratios between two runs, which share neither time nor processes. Pure.

Within a run arms take turns, and what the machine does hits all of them. Between runs nothing
cancels: on shared 2-core machines an identical step took 19 ms in some minutes and 25 ms in others,
so that the scatter of launches within each run says far too little.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, fsum, log, sqrt
from statistics import fmean
from typing import NamedTuple

import numpy as np

from suite.analysis.statistics import Estimate, student, two_sided

FLOOR = 0.05  # standard deviation of a log ratio between runs that no number of launches removes
ALONE = 0.10  # the same where too few cells are there to show what the machine did
ENOUGH = 6  # cells that show it
NORMAL = 1.4826  # standard deviations in a median absolute deviation, of normal numbers


class Launches(NamedTuple):
    """A cell's launches in one run: the mean of their log medians, its squared error, freedom."""

    mean: float
    variance: float
    freedom: float


class Change(NamedTuple):
    """The ratio new / base of one cell, and how likely chance alone makes it so far from 1."""

    ratio: Estimate
    p_value: float


def launches(medians: Sequence[float]) -> Launches:
    """Of seconds per step, one positive number a launch; ValueError without any."""
    if not medians:
        raise ValueError("no launches")
    logs = [log(seconds) for seconds in medians]
    mean = fmean(logs)
    if len(logs) == 1:
        return Launches(mean, 0.0, 1.0)
    variance = fsum((each - mean) ** 2 for each in logs) / (len(logs) - 1)
    return Launches(mean, variance / len(logs), len(logs) - 1.0)


def changes(
    pairs: Sequence[tuple[Launches, Launches]], others: Sequence[tuple[Launches, Launches]] = ()
) -> tuple[Estimate, list[Change]]:
    """What all cells have in common, and every cell's change; then those of ``others``, which tell
    nothing about the rest.

    Most cells are as they were, so that the median of all ratios tells what the machine did and
    their median absolute deviation how unevenly it did it. A cell's interval is Welch's (1947, doi
    10.2307/2332510) with that deviation added, at least ``FLOOR``, and reaches around both the
    ratio as it was seen and the ratio less what is common: a change has to show in both.
    """
    every = [*pairs, *others]
    ratios = np.array([new.mean - base.mean for base, new in every])
    seen = ratios[: len(pairs)]
    enough = len(pairs) >= ENOUGH
    common = float(np.median(seen)) if enough else 0.0
    spread = max(FLOOR, NORMAL * float(np.median(np.abs(seen - common)))) if enough else ALONE
    found = []
    for (base, new), ratio in zip(every, ratios, strict=True):
        error = sqrt(base.variance + new.variance + spread**2)
        freedom = _freedom(base, new, spread, len(pairs) if enough else ENOUGH)
        half = student(freedom) * error
        ends = (float(ratio), float(ratio) - common)
        nearest = min(abs(end) for end in ends) if ends[0] * ends[1] > 0 else 0.0
        found.append(
            Change(
                Estimate(exp(ratio), exp(min(ends) - half), exp(max(ends) + half)),
                two_sided(nearest / error, freedom),
            )
        )
    if not pairs:
        return Estimate(1.0, 1.0, 1.0), found
    error = spread / sqrt(len(pairs))
    half = student(max(1, len(pairs) - 1)) * error
    middle = float(np.median(seen))
    return Estimate(exp(middle), exp(middle - half), exp(middle + half)), found


def _freedom(base: Launches, new: Launches, spread: float, cells: int) -> float:
    """Welch and Satterthwaite's, the spread between runs being known from so many cells."""
    parts = [(base.variance, base.freedom), (new.variance, new.freedom), (spread**2, cells - 1.0)]
    total = sum(variance for variance, _ in parts)
    return total**2 / sum(variance**2 / freedom for variance, freedom in parts)
