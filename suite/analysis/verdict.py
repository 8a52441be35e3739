"""What an interval of a ratio of times says."""

from __future__ import annotations

from suite.analysis.statistics import AT_LEVEL, Estimate
from suite.records.schema import Verdict

DELTA = 0.05


def verdict(
    ratio: Estimate, delta: float = DELTA, twin: Estimate | None = None, p_value: float = 0.0
) -> Verdict:
    """Of ``ratio`` = time new / time base. Inside 1 ± delta the two are EQUIVALENT, even where the
    interval excludes 1: the difference is then too small to matter.

    ``p_value`` is of no difference, adjusted for all that are claimed together: of ten intervals
    one would exclude 1 by chance 40 % of the time.

    ``twin`` is the ratio of an A/A arm to the arm that it doubles. Where that is not EQUIVALENT
    itself, nothing else is, and a difference counts only beyond what identical code showed.
    """
    noisy = twin is not None and verdict(twin, delta) != "EQUIVALENT"
    least, most = (twin.low, twin.high) if twin is not None and noisy else (1.0, 1.0)
    if 1 - delta <= ratio.low and ratio.high <= 1 + delta:
        return "INCONCLUSIVE" if noisy else "EQUIVALENT"
    if p_value > 1 - AT_LEVEL:
        return "INCONCLUSIVE"
    if ratio.high < min(1.0, least):
        return "FASTER"
    if ratio.low > max(1.0, most):
        return "SLOWER"
    return "INCONCLUSIVE"
