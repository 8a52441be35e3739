"""The statistics on synthetic runs: what they promise about coverage and false verdicts holds where
machines drift, launches differ, tails are heavy and neighbours in time are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from suite.analysis.statistics import AT_LEVEL, difference, estimate, holm, ratios
from suite.analysis.verdict import verdict
from suite.measure.schedule import orders
from suite.plan.profiles import PROFILES
from suite.run.stages import HALF_WIDTH

samples = st.lists(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=8), min_size=1, max_size=5)


@given(samples)
def test_an_interval_holds_its_estimate(launches):
    found = estimate(launches)
    assert found.low <= found.value <= found.high
    assert found.low > 0


@given(samples, st.floats(0.1, 10))
def test_estimates_scale_with_their_unit(launches, factor):
    plain = estimate(launches)
    scaled = estimate([[factor * x for x in rounds] for rounds in launches])
    for one, other in zip(plain, scaled, strict=True):
        assert other == pytest.approx(factor * one, rel=1e-9)


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)), min_size=1, max_size=9))
def test_swapping_the_arms_inverts_the_ratio(pairs):
    new, base = zip(*pairs, strict=True)
    there, back = ratios(new, base), ratios(base, new)
    assert there == pytest.approx([1 / r for r in back])


def test_two_launches_give_students_interval():
    # log medians 0 and 0.1: mean 0.05, standard error 0.05, t(0.9825, 1) = 18.1708
    found = estimate([[1.0], [exp(0.1)]])
    assert log(found.value) == pytest.approx(0.05)
    assert log(found.high) == pytest.approx(0.05 + 18.1708 * 0.05, abs=1e-4)


def test_an_outlier_round_does_not_move_the_estimate():
    calm = [[1.0, 1.01, 0.99, 1.0, 1.0]] * 5
    disturbed = [[1.0, 1.01, 0.99, 1.0, 50.0], *calm[1:]]
    assert estimate(disturbed).value == pytest.approx(estimate(calm).value, rel=1e-3)


def test_no_samples_are_an_error():
    with pytest.raises(ValueError, match="no samples"):
        estimate([[], []])


ARMS, TRIALS = 3, 2000
BASE = 1  # the first trial's seed


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Standard deviations of log times. ``tails``: degrees of freedom of Student's t, None for the
    normal distribution; ``alike``: the correlation of a block with the one before; ``drift`` is
    over a launch.
    """

    launch: float = 0.014  # 2 % of a ratio, as measured on a shared 2-core machine
    block: float = 0.05
    tails: float | None = None
    alike: float = 0.0
    drift: float = 0.0


MACHINES = {
    "calm": Machine(),
    "drifting": Machine(drift=0.3),
    "heavy tails": Machine(tails=2.5),
    "autocorrelated": Machine(alike=0.8),
    "launches differ": Machine(launch=0.07),
    "everything": Machine(launch=0.03, tails=3.0, alike=0.8, drift=0.3),
}


def times(machine: Machine, rng: np.random.Generator, launches: int) -> np.ndarray:
    """(trials, launches, rounds, arms): log times of arms that are all alike, in balanced order."""
    order = np.array(orders(ARMS, int(rng.integers(1000))))
    rounds = len(order)
    shape = (TRIALS, launches, rounds * ARMS)
    heavy = machine.tails is not None
    noise = rng.standard_t(machine.tails, shape) if heavy else rng.standard_normal(shape)
    noise *= machine.block
    for turn in range(1, shape[-1]):
        fresh = np.sqrt(1 - machine.alike**2) * noise[..., turn]
        noise[..., turn] = machine.alike * noise[..., turn - 1] + fresh
    slopes = machine.drift * rng.standard_normal((TRIALS, launches, 1))
    noise += slopes * np.linspace(0, 1, shape[-1])
    effects = machine.launch * rng.standard_normal((TRIALS, launches, 1, ARMS))
    by_round = noise.reshape(TRIALS, launches, rounds, ARMS)
    return np.take_along_axis(by_round, np.argsort(order)[None, None], axis=-1) + effects


@pytest.mark.parametrize("launches", [3, 5, 8])
@pytest.mark.parametrize("name", MACHINES)
def test_intervals_cover_the_truth_as_often_as_they_say(name, launches):
    logs = times(MACHINES[name], np.random.default_rng(BASE), launches)
    covered = 0
    for trial in np.exp(logs[..., 1] - logs[..., 0]):
        found = estimate(trial)
        covered += found.low <= 1 <= found.high
    assert covered / TRIALS >= 0.95


@pytest.mark.parametrize("deviation", [0.015, 0.025, 0.035, 0.05])
def test_intervals_cover_the_truth_where_a_run_stops_once_they_are_narrow(deviation):
    least, most = PROFILES["standard"].launches, PROFILES["standard"].most_launches
    logs = np.random.default_rng(BASE).normal(0, deviation, (TRIALS, most, 1))
    covered = 0
    for trial in np.exp(logs):
        found = (estimate(trial[:launches]) for launches in range(least, most + 1))
        last = next((f for f in found if log(f.high / f.low) / 2 <= HALF_WIDTH), estimate(trial))
        covered += last.low <= 1 <= last.high
    assert covered / TRIALS >= 0.945  # stopping costs a little: 94.75 % at the least


@pytest.mark.parametrize("name", MACHINES)
def test_of_comparisons_without_a_difference_few_claim_one(name):
    logs = times(MACHINES[name], np.random.default_rng(BASE), 5)
    pairs = [(a, b) for a in range(ARMS) for b in range(a)]
    wrong = 0
    for trial in logs:
        launches = [np.exp(trial[..., a] - trial[..., b]) for a, b in pairs]
        adjusted = holm([difference(each) for each in launches])
        said = {verdict(estimate(e), p_value=p) for e, p in zip(launches, adjusted, strict=True)}
        wrong += bool(said & {"FASTER", "SLOWER"})
    assert wrong / TRIALS <= 0.05


def test_what_is_equal_is_called_so_and_what_is_slower_is_found():
    # The simulation of eight launches with a spread of 2 %, as a run to publish has.
    logs = times(Machine(block=0.02), np.random.default_rng(BASE), 8)
    said = {"slower": 0, "equal": 0}
    for trial in np.exp(logs[..., 1] - logs[..., 0]):
        slower = 1.05 * trial
        said["slower"] += verdict(estimate(slower), p_value=difference(slower)) == "SLOWER"
        said["equal"] += verdict(estimate(trial), p_value=difference(trial)) == "EQUIVALENT"
    assert said["slower"] / TRIALS > 0.95
    assert said["equal"] / TRIALS > 0.95


def test_an_interval_that_excludes_1_has_a_small_p_value():
    rng = np.random.default_rng(BASE)
    for _ in range(200):
        launches = np.exp(rng.normal(0.02, 0.02, (5, 6)))
        found = estimate(launches)
        assert (found.low <= 1 <= found.high) == (difference(launches) >= 1 - AT_LEVEL)


def test_one_launch_says_nothing_of_others():
    assert difference([[2.0, 2.0, 2.1]]) == 1.0
    found = estimate([[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]])
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(1.5))


@given(st.integers(1, 60))
def test_one_launch_is_told_by_order_statistics(count):
    found = estimate([[exp(n) for n in range(count)]])
    inner = [n for n in range(count) if log(found.low) - 1e-9 <= n <= log(found.high) + 1e-9]
    left_out = (count - len(inner)) // 2
    assert left_out == 0 or 2 * stats.binom.cdf(left_out, count, 0.5) <= 0.05
    assert 2 * stats.binom.cdf(left_out + 1, count, 0.5) > 0.05  # one more would be too many


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_never_bolder_than_the_parts_and_never_shyer_than_bonferroni(values):
    adjusted = holm(values)
    for p, more in zip(values, adjusted, strict=True):
        assert p <= more <= min(1.0, len(values) * p) + 1e-12
    ranked = [more for _, more in sorted(zip(values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_holm_as_published():
    # p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") in R
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
