"""What an interval of a ratio of times says."""

from __future__ import annotations

from suite.measure.statistics import Estimate
from suite.store.schema import Verdict

DELTA = 0.05


def verdict(ratio: Estimate, delta: float = DELTA) -> Verdict:
    """Of ``ratio`` = time new / time base. Inside 1 ± delta the two are EQUIVALENT, even where the
    interval excludes 1: the difference is then too small to matter.
    """
    if 1 - delta <= ratio.low and ratio.high <= 1 + delta:
        return "EQUIVALENT"
    if ratio.high < 1:
        return "FASTER"
    if ratio.low > 1:
        return "SLOWER"
    return "INCONCLUSIVE"
