"""How rarely unchanged runs are told apart, and how surely slower ones are."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest

from suite.analysis.statistics import holm
from suite.analysis.unpaired import FLOOR, changes, launches

TRIALS = 400


@pytest.mark.parametrize("cells", [2, 6, 18, 60])
@pytest.mark.parametrize("launched", [3, 5])
def test_unchanged_runs_rarely_show_a_regression(cells, launched):
    """Machines that are slower as a whole in one run, and unevenly so."""
    rng = np.random.default_rng(cells)
    wrong = 0
    for _ in range(TRIALS):
        times = rng.normal(0, 0.02, (2, cells, launched))  # launches
        times += rng.normal(0, 0.1, (2, 1, 1))  # the machine in each run
        times += rng.normal(0, FLOOR / 2**0.5, (2, cells, 1))  # what hits a cell in a run
        pairs = [
            (launches(list(np.exp(a))), launches(list(np.exp(b))))
            for a, b in zip(*times, strict=True)
        ]
        adjusted = holm([change.p_value for change in changes(pairs)[1]])
        wrong += min(adjusted) < 0.035
    assert wrong / TRIALS <= 0.05 + 2 * (0.05 * 0.95 / TRIALS) ** 0.5


def test_a_large_regression_is_found_on_an_uneven_machine():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(TRIALS):
        times = rng.normal(0, 0.02, (2, 18, 5)) + rng.normal(0, FLOOR / 2**0.5, (2, 18, 1))
        times[1, 3] += log(1.5)
        pairs = [
            (launches(list(np.exp(a))), launches(list(np.exp(b))))
            for a, b in zip(*times, strict=True)
        ]
        adjusted = holm([change.p_value for change in changes(pairs)[1]])
        found += adjusted[3] < 0.035 and min(adjusted) == adjusted[3]
    assert found / TRIALS > 0.9


def test_one_launch_has_no_interval_of_its_own_but_the_runs_have():
    (change,) = changes([(launches([1.0]), launches([1.02]))])[1]
    assert change.ratio.low < 1 < change.ratio.high
    with pytest.raises(ValueError, match="no launches"):
        launches([])
    assert launches([exp(1)]).mean == pytest.approx(1)
