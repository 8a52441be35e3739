"""Estimates with intervals, from blocks in rounds within launches.

The launch is the unit: the rounds of one launch share its memory layout and thread placement, so
they do not tell how another launch would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, fsum, inf, log, sqrt
from statistics import fmean, median
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special  # scipy.stats takes a second to import

LEVEL = 0.95
AT_LEVEL = 0.965  # of Student's quantiles: what is left of it after stopping once narrow is LEVEL
LEAST_ERROR = 1e-12  # of launches that are all alike; a clock tells no more
DETERMINED = 3.0  # times the value, or a part of it: an interval that reaches farther tells nothing


class Estimate(NamedTuple):
    """A positive number with its 95 % interval."""

    value: float
    low: float
    high: float


def estimate(launches: Sequence[Sequence[float]]) -> Estimate:
    """The typical value of positive numbers, grouped by launch.

    On the logarithm: the mean over launches of each launch's median, with Student's interval over
    these medians ("Student" 1908, doi 10.2307/2331554). They scatter by what launches and rounds
    do. A two-level bootstrap (Davison & Hinkley 1997, section 3.8) counts the rounds twice: on
    such synthetic launches as tests/unit/analysis/test_statistics.py has, it covered the truth 99
    to 100 % of the time where rounds scatter, and 8 launches gave an interval a third wider.

    A run that stops once its intervals are narrow stops early where the scatter happened to look
    small. Simulated (normal launches of deviation 1.5 to 4.5 %, 5 to 12 of them, stopped at 2 %),
    intervals of 95 % then cover 92.3 to 94.9 %, those of 96.5 %, taken here, 94.6 to 96.4 %.

    One launch has no such interval. Its rounds give one for their median (order statistics; David &
    Nagaraja 2003, section 7.1; of six rounds all, for 97 %), which tells of this launch only, and
    the caller has to say so. ValueError without samples.
    """
    medians = _medians(launches)
    if not medians:
        raise ValueError("no samples to estimate from")
    centre = fmean(medians)
    if len(medians) == 1:
        (rounds,) = (rounds for rounds in launches if len(rounds))
        low, high = _of_median(np.log(np.asarray(rounds, dtype=np.float64)))
        return Estimate(exp(centre), exp(low), exp(high))
    half = quantile(len(medians)) * _standard_error(medians)
    return Estimate(exp(centre), exp(centre - half), exp(centre + half))


def reach(value: float, low: float, high: float) -> float:
    """How far an interval's farther end is from its value, as a factor."""
    return max(high / value, value / low) if value > 0 and low > 0 else inf


def difference(launches: Sequence[Sequence[float]]) -> float:
    """How likely ratios, grouped by launch, would be so far from 1 if their typical value were 1:
    the two-sided p-value of Student's t over the launches' medians. 1 for less than two launches.
    """
    medians = _medians(launches)
    if len(medians) < 2:
        return 1.0
    t = abs(fmean(medians)) / max(_standard_error(medians), LEAST_ERROR)
    return two_sided(t, len(medians) - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted so that of all claims made at p ≤ α the chance of any false one is at most α,
    whatever their dependence (Holm 1979, Scandinavian Journal of Statistics 6, 65-70).
    """
    adjusted, most = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        most = max(most, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = most
    return adjusted


def ratios(new: Sequence[float], base: Sequence[float]) -> list[float]:
    """new / base, round by round; rounds in which one is missing are left out by the caller."""
    return [a / b for a, b in zip(new, base, strict=True)]


def _medians(launches: Sequence[Sequence[float]]) -> list[float]:
    """Of each launch's logarithms. There are few in each, for which NumPy takes ten times longer:
    a run has hundreds of comparisons, a site hundreds of runs.
    """
    return [median(map(log, rounds)) for rounds in launches if len(rounds)]


def _standard_error(values: Sequence[float]) -> float:
    centre = fmean(values)
    variance = fsum((value - centre) ** 2 for value in values) / (len(values) - 1)
    return sqrt(variance / len(values))


@cache
def quantile(launches: int) -> float:
    """How many standard errors of so many launches an interval reaches to each side."""
    return student(launches - 1)


def student(freedom: float) -> float:
    """Student's quantile that an interval of 95 % reaches to, stopping once narrow allowed for."""
    return float(special.stdtrit(freedom, (1 + AT_LEVEL) / 2))


def two_sided(t: float, freedom: float) -> float:
    """How likely Student's variable is at least so far from 0."""
    return float(2 * special.stdtr(freedom, -t))


def _of_median(values: NDArray[np.float64]) -> tuple[float, float]:
    below = special.bdtr(np.arange(len(values) + 1), len(values), 0.5)  # of so many heads or fewer
    inward = max(1, int(np.searchsorted(below, (1 - LEVEL) / 2)))
    ordered = np.sort(values)
    return float(ordered[inward - 1]), float(ordered[-inward])
