"""Estimates with intervals, from blocks in rounds within launches.

The launch is the unit: the rounds of one launch share its memory layout and thread placement, so
they do not tell how another launch would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2000


class Estimate(NamedTuple):
    """A positive number with its 95 % interval."""

    value: float
    low: float
    high: float


def estimate(launches: Sequence[Sequence[float]], seed: int = 0) -> Estimate:
    """The typical value of positive numbers, grouped by launch.

    On the logarithm: the mean over launches of each launch's median. The interval is that of a
    two-level bootstrap (launches, then rounds within; Davison & Hinkley 1997, section 3.8), and
    never narrower than Student's t over the launch medians, because resampling two or three
    launches cannot show how much launches differ. One launch has no such interval: what is given
    then tells of this launch only, and the caller has to say so.
    """
    logs = [np.log(np.asarray(rounds, dtype=np.float64)) for rounds in launches if len(rounds)]
    if not logs:
        raise ValueError("no samples to estimate from")
    medians = np.array([np.median(rounds) for rounds in logs])
    centre = float(medians.mean())
    low, high = _bootstrap(logs, seed)
    if len(medians) > 1:
        half = _t_half_width(medians)
        low, high = min(low, centre - half), max(high, centre + half)
    return Estimate(exp(centre), exp(min(low, centre)), exp(max(high, centre)))


def ratios(new: Sequence[float], base: Sequence[float]) -> list[float]:
    """new / base, round by round; rounds in which one is missing are left out by the caller."""
    return [exp(log(a) - log(b)) for a, b in zip(new, base, strict=True)]


def _t_half_width(values: NDArray[np.float64]) -> float:
    error = float(values.std(ddof=1)) / sqrt(len(values))
    return float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error


def _bootstrap(logs: list[NDArray[np.float64]], seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    # For every launch, the medians of as many resamplings of its rounds as will be drawn.
    drawn = [
        np.median(rng.choice(rounds, size=(RESAMPLES, len(rounds))), axis=1) for rounds in logs
    ]
    table = np.stack(drawn)
    picks = rng.integers(len(logs), size=(len(logs), RESAMPLES))
    means = table[picks, np.arange(RESAMPLES)].mean(axis=0)
    tail = (1 - LEVEL) / 2 * 100
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
