"""Verdicts on accuracies: how often they are wrong, and how many seeds settle them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.analysis.equivalence import MARGIN, paired, seeds_needed, verdict

TRIALS = 2000
TWO_ERRORS = 2 * (0.05 * 0.95 / TRIALS) ** 0.5


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_two_arms_at_the_margin_are_rarely_called_equivalent(seeds):
    differences = np.random.default_rng(1).normal(MARGIN, 0.005, (TRIALS, seeds))
    said = [verdict(paired(list(each))) for each in differences]
    assert said.count("EQUIVALENT") / TRIALS <= 0.05 + TWO_ERRORS


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_two_arms_that_learn_the_same_are_rarely_called_different(seeds):
    differences = np.random.default_rng(2).normal(0, 0.02, (TRIALS, seeds))
    found = [paired(list(each)) for each in differences]
    assert [verdict(each) for each in found].count("DIFFERENT") / TRIALS <= 0.05 + TWO_ERRORS
    covered = sum(each.low <= 0 <= each.high for each in found) / TRIALS
    assert covered == pytest.approx(0.95, abs=2 * TWO_ERRORS)


def test_verdicts_of_clear_cases():
    assert verdict(paired([0.001, -0.002, 0.0, 0.001, -0.001])) == "EQUIVALENT"
    assert verdict(paired([0.05, 0.06, 0.055, 0.05, 0.045])) == "DIFFERENT"
    assert verdict(paired([0.05, -0.06, 0.0, 0.04, -0.03])) == "INCONCLUSIVE"
    assert verdict(paired([0.5])) == "INCONCLUSIVE"
    assert verdict(paired([0.0, 0.0])) == "EQUIVALENT"
    assert verdict(paired([0.1, 0.1])) == "DIFFERENT"
    # Beyond chance and of no consequence: EQUIVALENT, as with speed.
    assert verdict(paired([0.005, 0.006, 0.0055, 0.005, 0.0045])) == "EQUIVALENT"
    # One of ten pairs: adjusted, it may be chance.
    assert verdict(paired([0.05, 0.06, 0.055, 0.01, 0.1]), p_different=0.2) == "INCONCLUSIVE"
    with pytest.raises(ValueError, match="no seeds"):
        paired([])


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=8))
def test_swapping_the_arms_turns_the_difference_around(differences):
    there, back = paired(differences), paired([-each for each in differences])
    assert there.mean == pytest.approx(-back.mean)
    assert (there.low, there.high) == (pytest.approx(-back.high), pytest.approx(-back.low))
    assert verdict(there) == verdict(back)


def test_as_many_seeds_as_are_said_to_be_needed_settle_it_four_times_of_five():
    rng = np.random.default_rng(3)
    pilot = [0.03, -0.025, 0.01, -0.02, 0.005]
    count = seeds_needed(pilot)
    assert 5 < count < 60
    spread = float(np.std(pilot, ddof=1))
    for number, least, most in ((count, 0.7, 0.95), (count // 2, 0.0, 0.7)):
        runs = rng.normal(float(np.mean(pilot)), spread, (TRIALS, number))
        settled = sum(verdict(paired(list(run))) != "INCONCLUSIVE" for run in runs)
        assert least <= settled / TRIALS <= most
    assert seeds_needed([0.1]) is None
    assert seeds_needed([0.0, 0.0, 0.0]) == 2
