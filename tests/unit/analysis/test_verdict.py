"""Verdicts on ratios of times."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from suite.analysis.statistics import Estimate
from suite.analysis.verdict import DELTA, verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.96, 1.04, "EQUIVALENT"),
        (1.01, 1.04, "EQUIVALENT"),
        (0.5, 0.97, "FASTER"),
        (1.02, 1.3, "SLOWER"),
        (0.9, 1.2, "INCONCLUSIVE"),
    ],
)
def test_verdicts(low, high, expected):
    assert verdict(Estimate((low + high) / 2, low, high)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.97, 1.03, "INCONCLUSIVE"),
        (1.05, 1.09, "INCONCLUSIVE"),
        (0.94, 0.98, "INCONCLUSIVE"),
        (1.12, 1.3, "SLOWER"),
        (0.8, 0.92, "FASTER"),
    ],
)
def test_nothing_smaller_counts_than_what_identical_code_showed(low, high, expected):
    ratio = Estimate((low + high) / 2, low, high)
    assert verdict(ratio, twin=Estimate(1.02, 0.93, 1.11)) == expected
    assert verdict(ratio, twin=Estimate(1.0, 0.98, 1.02)) == verdict(ratio)


@given(st.floats(0.2, 5), st.floats(0, 2), st.floats(0, 2))
@example(1.0, 0.01, 0.01)  # both EQUIVALENT
@example(0.975, 0.026, 0.0)  # EQUIVALENT and SLOWER
@example(0.98, 0.03, 0.05)  # EQUIVALENT and INCONCLUSIVE
@example(1.0256, 0.0, 0.026)  # SLOWER and EQUIVALENT
def test_opposite_ratios_get_opposite_verdicts_but_at_the_margin(value, down, up):
    ratio = Estimate(value, value / (1 + down), value * (1 + up))
    mirrored = Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    opposite = {"FASTER": "SLOWER", "SLOWER": "FASTER"}
    found, back = verdict(ratio), verdict(mirrored)
    if (found == "EQUIVALENT") == (back == "EQUIVALENT"):
        assert back == opposite.get(found, found)
        return
    # 1 - delta and 1 / (1 + delta) differ a little: between them one side is EQUIVALENT alone.
    small, other = (ratio, mirrored) if found == "EQUIVALENT" else (mirrored, ratio)
    assert 1 - DELTA <= small.low <= 1 / (1 + DELTA)
    assert verdict(other) == ("SLOWER" if other.low > 1 else "INCONCLUSIVE")
