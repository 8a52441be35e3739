"""Single measurements are judged by how far identical code scatters."""

from __future__ import annotations

import numpy as np
import pytest

from suite.analysis.single import COMPILE, COUNTED, PROCESS, changes
from suite.analysis.statistics import AT_LEVEL, holm
from suite.analysis.unpaired import ENOUGH

GIBIBYTE = 2.0**30


def claims(pairs, scatter):
    adjusted = holm([p_value for _, p_value in changes(pairs, scatter)])
    return [p_value <= 1 - AT_LEVEL for p_value in adjusted]


@pytest.mark.parametrize("cells", [1, 2, ENOUGH, 20])
@pytest.mark.parametrize(
    ("scatter", "spread", "value"), [(COMPILE, 0.27, 5.0), (PROCESS, 0.05, GIBIBYTE)]
)
def test_identical_code_is_seldom_claimed_to_differ(scatter, spread, value, cells):
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        new = value * np.exp(random.normal(0, spread, cells))
        wrong += any(claims([(value, each) for each in new], scatter))
    assert wrong / 400 < 0.07


@pytest.mark.parametrize("cells", [1, ENOUGH, 20])
def test_what_takes_three_times_as_long_is_claimed(cells):
    pairs = [(5.0, 15.0)] + [(5.0, 5.0)] * (cells - 1)
    assert claims(pairs, COMPILE) == [True] + [False] * (cells - 1)


def test_what_all_have_in_common_is_no_scatter():
    assert all(claims([(5.0, 10.0)] * ENOUGH, COMPILE))


def test_small_values_scatter_by_an_amount():
    ((small, _),) = changes([(0.02, 0.03)], COMPILE)
    ((large, _),) = changes([(20.0, 30.0)], COMPILE)
    assert small.high / small.value > 2 * large.high / large.value


def test_what_is_counted_has_no_scatter():
    assert changes([(100.0, 100.0)], COUNTED) == [((1.0, 1.0, 1.0), 1.0)]
    ((ratio, p_value),) = changes([(100.0, 150.0)], COUNTED)
    assert (ratio.low, ratio.high, p_value) == pytest.approx((1.5, 1.5, 0.0))
