"""Orders, estimates and verdicts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from math import exp, log
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.measure import cores, idle, noise, timing
from suite.measure.schedule import orders
from suite.measure.statistics import Estimate, estimate, ratios
from suite.measure.timing import Entry, State, Turn, block_steps, rounds
from suite.measure.verdict import verdict
from suite.measure.void import Stopwatch, disturbed
from tests.conftest import ROOT


@given(arms=st.integers(1, 9), seed=st.integers(0, 99))
def test_orders_are_balanced(arms, seed):
    rows = orders(arms, seed)
    assert all(sorted(row) == list(range(arms)) for row in rows)
    positions = Counter((arm, place) for row in rows for place, arm in enumerate(row))
    assert len(set(positions.values())) == 1
    followers = Counter(pair for row in rows for pair in pairwise(row))
    if arms > 1:
        assert len(followers) == arms * (arms - 1)
        assert len(set(followers.values())) == 1


def test_orders_are_shuffled():
    assert orders(3, 0) != orders(3, 1)


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
def test_opposite_ratios_get_opposite_verdicts_or_small_ones(value, down, up):
    ratio = Estimate(value, value / (1 + down), value * (1 + up))
    mirrored = Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    opposite = {"FASTER": "SLOWER", "SLOWER": "FASTER"}
    found, back = verdict(ratio), verdict(mirrored)
    # 1 - delta and 1 / (1 + delta) differ a little, so EQUIVALENT may border on the others.
    if "EQUIVALENT" not in (found, back):
        assert back == opposite.get(found, found)


def test_blocks_are_long_enough_and_not_too_long():
    assert block_steps([0.001, 0.002]) == 30
    assert block_steps([0.01, 1.0]) == 1
    assert block_steps([0.01, 0.1]) == 3
    assert block_steps([5.0, 30.0]) == 1


def test_rounds_are_enough_for_the_fastest_and_not_too_many_for_the_slowest():
    assert rounds(30, [0.001, 0.002]) == 24  # 0.7 s of blocks of 0.03 s
    assert rounds(10, [0.0001, 0.05]) == 16  # 8 s of blocks of half a second
    assert rounds(1, [5.0, 30.0]) == 6
    assert rounds(30, [0.001, 0.002], share=0.5) == 12


def test_a_set_of_rounds_is_disturbed_by_what_worked_beside_it_and_not_by_one_tick():
    quiet = [(0.03, {"pressure": 0.06, "steal": 0.0})] * 23
    assert not disturbed(quiet)
    assert not disturbed([*quiet, (0.03, {"pressure": 1.0, "steal": 0.17})])
    assert disturbed([(0.03, {"pressure": 0.4, "steal": 0.0})] * 24)
    assert disturbed([(0.03, {"pressure": 0.06, "steal": 0.1})] * 24)
    assert not disturbed([(0.03, {"pressure": None, "steal": None})] * 24)
    assert not disturbed([])


def test_a_set_of_rounds_is_disturbed_where_half_of_it_met_slow_cores():
    usual = [0.56] * 20
    fast, slow = ((0.03, {"known_work_ms": ms}) for ms in (0.6, 0.96))
    assert not disturbed([fast] * 6, usual)
    assert not disturbed([fast] * 4 + [slow] * 2, usual)
    assert disturbed([fast] * 2 + [slow] * 4, usual)
    assert not disturbed([slow] * 6, [0.96] * 20)  # as ever
    assert not disturbed([(0.03, {"known_work_ms": None})] * 6, usual)
    assert not disturbed([slow] * 6)


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=9),
    st.lists(st.floats(0.1, 10), min_size=1, max_size=99),
    st.floats(0.1, 10),
)
def test_slow_cores_are_slow_in_any_unit_and_slower_ones_too(now, seen, unit):
    found = cores.slow(now, seen)
    if cores.slow([1.01 * ms for ms in now], seen) == cores.slow([0.99 * ms for ms in now], seen):
        assert cores.slow([unit * ms for ms in now], [unit * ms for ms in seen]) == found
    assert not found or cores.slow([2 * ms for ms in now], seen)
    assert not cores.slow([min(seen)], seen)


def test_known_work_is_done_on_every_core_that_this_process_may_use():
    before = os.sched_getaffinity(0)
    assert 0 < cores.known_work() < 1000
    assert os.sched_getaffinity(0) == before


@pytest.fixture
def measured(monkeypatch):
    """Rounds of two arms beside cores that take these milliseconds, look by look and then 0.5: how
    often they were waited for, why each round does not count, and whether it was disturbed though
    it does.
    """

    def measure(looks, share=1.0):
        slept, void, kept, state = [], {}, {}, State()
        state.known_work.extend([0.5] * 20)
        left = iter(looks)
        monkeypatch.setattr(cores, "known_work", lambda: next(left, 0.5))
        monkeypatch.setattr(timing.time, "sleep", slept.append)
        answer = {"seconds": 0.5, "wall_seconds": 0.5, "compiled": 0}
        worker = SimpleNamespace(call=lambda *_, **__: dict(answer, noise={}))
        crew = SimpleNamespace(members={}, member=lambda _: SimpleNamespace(worker=worker))

        def emit(_, **told):
            void[told["round"]], kept[told["round"]] = told["void"], told["disturbed"]

        sink = SimpleNamespace(emit=emit)
        cell = SimpleNamespace(device="cpu", task="t", phase="train")
        entries = [Entry(SimpleNamespace(device="cpu"), cell, step_seconds=0.5) for _ in range(2)]
        Turn(0, None, state, crew, sink, share)._rounds(entries, 0)
        return slept, list(void.values()), list(kept.values())

    return measure


def test_rounds_begin_when_the_cores_are_as_fast_as_usual(measured):
    slept, void, disturbed = measured([0.9, 0.9, 0.9])
    assert slept == [timing.LOOK_SECONDS] * 3
    assert set(void) == {None}
    assert not any(disturbed)


def test_rounds_beside_slow_cores_are_measured_again_and_not_for_ever(measured):
    _, quiet, _ = measured([])
    turns = len(orders(2, 0))
    slept, void, disturbed = measured([0.5, *[0.9] * turns])
    assert void == ["disturbed, measured again"] * turns + quiet
    assert not any(disturbed)
    slept, void, disturbed = measured([0.9] * 10_000, share=0.25)
    assert disturbed == [each is None for each in void]
    assert sum(slept) <= 0.25 * timing.MOST_WAIT_SECONDS + timing.LOOK_SECONDS
    assert void.count(None) == len(quiet)
    assert len(void) <= len(quiet) + timing.MOST_AGAIN * turns


@pytest.mark.parametrize(("before", "while_awake"), [("0\n", "200000"), ("50000\n", "50000\n")])
def test_idle_cores_are_kept_awake_where_they_would_be_given_back_at_once(
    before, while_awake, tmp_path, monkeypatch
):
    monkeypatch.setattr(idle, "SETTING", tmp_path / "guest_halt_poll_ns")
    idle.SETTING.write_text(before)
    with suppress(KeyboardInterrupt), idle.kept_awake():
        assert idle.SETTING.read_text() == while_awake
        assert idle.disclosed() == {"guest_halt_poll_ns": while_awake.strip()}
        raise KeyboardInterrupt
    assert idle.told() == int(before)


def test_idle_cores_that_cannot_be_told_to_stay_awake_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(idle, "SETTING", tmp_path / "none" / "guest_halt_poll_ns")
    with idle.kept_awake():
        assert (idle.told(), idle.disclosed()) == (None, {})


def test_idle_cores_stay_as_they_are_where_that_is_not_ours_to_set(tmp_path, monkeypatch):
    def refuse(self, text):
        raise PermissionError

    monkeypatch.setattr(idle, "SETTING", tmp_path / "guest_halt_poll_ns")
    idle.SETTING.write_text("0")
    monkeypatch.setattr(type(tmp_path), "write_text", refuse)
    with idle.kept_awake():
        assert idle.told() == 0


def test_a_busy_process_shows_in_its_noise():
    before = noise.read()
    while noise.read().cpu_seconds - before.cpu_seconds < 0.05:
        pass
    found = noise.between(before, noise.read())
    assert 0 < found["cpu_per_wall"] <= 1.05


ALLOCATES = """
import numpy as np
from suite.measure import memory
memory.reset_peak()
before = memory.peak_bytes()
block = np.ones(50_000_000, dtype=np.uint8)
print(memory.peak_bytes() - before)
"""


def test_allocated_memory_shows_in_the_peak():
    """In a process of its own: what others let go of meanwhile would hide it."""
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == pytest.approx(50_000_000, rel=0.1)


@given(st.floats(1e-6, 1e4), st.floats(-1e6, 1e6))
def test_a_block_counts_only_if_its_clocks_agree(seconds, apart):
    steady = abs(apart) <= max(0.05, 0.1 * seconds)
    found = Stopwatch(seconds, seconds + apart, 0)
    if abs(abs(apart) - max(0.05, 0.1 * seconds)) > 1e-9 * (1 + seconds + abs(apart)):
        assert (found.void is None) == steady
    assert Stopwatch(-seconds, -seconds, 0).void == "the clock jumped"


@pytest.mark.parametrize(
    ("stopwatch", "void"),
    [
        (Stopwatch(1.0, 1.0, None), None),
        (Stopwatch(1.0, 1.0, 0), None),
        (Stopwatch(1.0, 1.0, 3), "compiled anew"),
        (Stopwatch(0.0, 0.0, 0), "the clock jumped"),
        (Stopwatch(float("nan"), 1.0, 0), "the clock jumped"),
        (Stopwatch(1.0, float("inf"), 2), "the clock jumped"),
    ],
)
def test_what_voids_a_block(stopwatch, void):
    assert stopwatch.void == void
