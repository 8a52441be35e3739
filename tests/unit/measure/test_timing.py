"""How many steps and rounds, and when rounds begin and are measured again."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from suite.machine import cores
from suite.measure import timing
from suite.measure.schedule import orders
from suite.measure.timing import Entry, Launch, State, block_steps, rounds
from suite.worker.answers import BlockTimes


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
        program = SimpleNamespace(block=lambda *_, **__: BlockTimes(0.5, 0.5, 0, {}))
        client = SimpleNamespace(programs={"t": program})
        pool = SimpleNamespace(clients={}, client=lambda _: client)

        def emit(_, **told):
            void[told["round"]], kept[told["round"]] = told["void"], told["disturbed"]

        sink = SimpleNamespace(emit=emit, failures=lambda *_: nullcontext())
        cell = SimpleNamespace(device="cpu", task="t", phase="train", batch_size=1)
        entries = [Entry(SimpleNamespace(device="cpu"), cell, step_seconds=0.5) for _ in range(2)]
        Launch(0, None, state, pool, sink, share)._rounds(entries, 0)
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
