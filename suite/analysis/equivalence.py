"""Do two arms learn the same? From the differences of trainings that share seed, start and order.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

import numpy as np
from scipy import special

from suite.analysis.scores import SCORES
from suite.records.schema import LearningVerdict

MARGIN = SCORES["accuracy"].margin
ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 1000  # looked at when asked how many would settle it


class Paired(NamedTuple):
    """The mean difference new - base, with its 95 % interval; None for fewer than two seeds."""

    mean: float
    low: float | None
    high: float | None
    p_different: float
    p_equivalent: float


def paired(differences: Sequence[float], margin: float = MARGIN) -> Paired:
    """Student's paired t over seeds, and two one-sided tests of the mean lying within ± ``margin``
    (Schuirmann 1987, doi 10.1007/BF01068419); ValueError without differences.
    """
    if not differences:
        raise ValueError("no seeds in common")
    mean, count = fmean(differences), len(differences)
    if count < 2:
        return Paired(mean, None, None, 1.0, 1.0)
    error = stdev(differences) / sqrt(count)
    if error == 0:  # every seed differs by the same
        different, equivalent = float(mean == 0), float(abs(mean) >= margin)
        return Paired(mean, mean, mean, different, equivalent)
    half = float(special.stdtrit(count - 1, 1 - ALPHA / 2)) * error
    above = float(special.stdtr(count - 1, -(margin + mean) / error))
    below = float(special.stdtr(count - 1, -(margin - mean) / error))
    different = float(2 * special.stdtr(count - 1, -abs(mean) / error))
    return Paired(mean, mean - half, mean + half, different, max(above, below))


def verdict(found: Paired, p_different: float | None = None) -> LearningVerdict:
    """EQUIVALENT where both one-sided tests say so, even if there is a difference within the
    margin; ``p_different`` is adjusted for all pairs of a task.
    """
    if found.p_equivalent <= ALPHA:
        return "EQUIVALENT"
    adjusted = found.p_different if p_different is None else p_different
    return "DIFFERENT" if adjusted <= ALPHA else "INCONCLUSIVE"


def seeds_needed(differences: Sequence[float], margin: float = MARGIN) -> int | None:
    """How many seeds would settle it four times of five if seeds go on to scatter as these do: by
    either verdict, whichever comes first. None with fewer than two seeds or if 1000 would not do.
    """
    if len(differences) < 2:
        return None
    mean, spread = abs(fmean(differences)), stdev(differences)
    for count in range(2, MOST_SEEDS + 1):
        error, freedom = max(spread, 1e-12) / sqrt(count), count - 1
        sides = np.array([margin - mean, margin + mean]) / error
        sides -= special.stdtrit(freedom, 1 - ALPHA)
        equivalent = special.stdtr(freedom, sides).sum() - 1
        beyond = mean / error - special.stdtrit(freedom, 1 - ALPHA / 2)
        different = special.stdtr(freedom, beyond)
        if max(equivalent, different) >= POWER:
            return count
    return None
