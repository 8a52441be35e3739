"""Which blocks count, and which rounds were disturbed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.measure.validity import LATE, disturbed, false_clock, void
from suite.measure.validity import void as void_of
from suite.worker.answers import BlockTimes


@pytest.mark.parametrize(
    ("late_seconds", "because"), [(0.0, None), (0.004, None), (0.02, None), (0.04, LATE)]
)
def test_a_block_whose_result_came_late_does_not_count(late_seconds, because):
    assert void(BlockTimes(0.1, 0.1, 0, {}, late_seconds=late_seconds)) == because


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


@given(st.floats(1e-6, 1e4), st.floats(-1e6, 1e6))
def test_a_block_counts_only_if_its_clocks_agree(seconds, apart):
    steady = abs(apart) <= max(0.05, 0.1 * seconds)
    found = BlockTimes(seconds, seconds + apart, 0, {})
    if abs(abs(apart) - max(0.05, 0.1 * seconds)) > 1e-9 * (1 + seconds + abs(apart)):
        assert (void_of(found) is None) == steady
    assert void_of(BlockTimes(-seconds, -seconds, 0, {})) == "the clock jumped"


@pytest.mark.parametrize(
    ("times", "void"),
    [
        (BlockTimes(1.0, 1.0, None, {}), None),
        (BlockTimes(1.0, 1.0, 0, {}), None),
        (BlockTimes(1.0, 1.0, 3, {}), "compiled anew"),
        (BlockTimes(0.0, 0.0, 0, {}), "the clock jumped"),
        (BlockTimes(float("nan"), 1.0, 0, {}), "the clock jumped"),
        (BlockTimes(1.0, float("inf"), 2, {}), "the clock jumped"),
    ],
)
def test_what_voids_a_block(times, void):
    assert void_of(times) == void


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([(0.06, 0.1)] * 9 + [(0.0995, 0.1)], None),  # the coordinator got its core late
        ([(0.06, 0.1)] * 5, None),  # too few
        ([(0.001, 0.0015)] * 9, None),
        ([], None),
        ([(0.069, 0.1)] * 5 + [(0.07, 0.1), (0.001, 0.0014)], "goes at 0.7 times the pace"),
        ([(0.094, 0.1)] * 6, "goes at 0.94 times"),
        ([(0.14, 0.1)] * 6, "goes at 1.4 times"),
    ],
)
def test_a_clock_that_goes_at_another_pace_than_the_coordinators_is_false(blocks, words):
    why = false_clock([(*block, False) for block in blocks])
    assert why is None if words is None else words in why


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.015])
def test_a_coordinator_that_waits_for_a_core_accuses_no_honest_clock(delay):
    blocks = [(seconds, seconds + delay, True) for seconds in (0.06, 0.09) for _ in range(9)]
    assert false_clock(blocks) is None


def test_beside_other_work_a_clock_that_is_far_off_is_still_found():
    assert "goes at 0.7 times" in false_clock([(0.07, 0.1, True)] * 9)
    assert "goes at 0.94 times" in false_clock([(0.094, 0.1, False)] * 9)
