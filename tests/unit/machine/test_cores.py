"""How fast the cores are just now, and where that cannot be asked."""

from __future__ import annotations

import errno
import os
import time
from collections import Counter
from hashlib import blake2b
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.machine import cores
from tests.fixtures.refusals import refusing


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


def alone() -> float:
    """Milliseconds that the known work takes this thread, the least of some."""
    found = []
    for _ in range(9):
        began = time.perf_counter()
        blake2b(cores.WORK).digest()
        found.append(1000 * (time.perf_counter() - began))
    return min(found)


def test_known_work_is_done_on_every_core_that_this_process_may_use(monkeypatch):
    before, bind, bound = os.sched_getaffinity(0), os.sched_setaffinity, Counter()

    def counted(pid, wanted):
        bound.update(wanted)
        bind(pid, wanted)

    monkeypatch.setattr(os, "sched_setaffinity", counted)
    began = time.perf_counter()
    milliseconds = cores.known_work()
    all_tries = 1000 * (time.perf_counter() - began)
    assert bound == dict.fromkeys(sorted(before)[: cores.MOST_CORES], cores.TRIES)
    assert os.sched_getaffinity(0) == before
    assert alone() / 2 < milliseconds < all_tries / 2  # the median of three: two took as long


def known_work() -> list[float | None]:
    """What it says; nothing if it says nothing for long."""
    found: list[float | None] = []
    thread = Thread(target=lambda: found.append(cores.known_work()), daemon=True)
    thread.start()
    thread.join(20)
    return found


@pytest.mark.parametrize("refused", [(0, 1, 2, 3), (0,), (3,)])
def test_cores_that_refuse_a_thread_are_not_waited_for(refused, monkeypatch):
    def bind(pid, wanted):
        if {*wanted} & {*refused}:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", bind)
    assert known_work() == [None]


def test_threads_that_cannot_begin_are_not_waited_for(monkeypatch):
    class Third(Thread):
        begun = 0

        def start(self):
            Third.begun += 1
            if Third.begun == 3:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, wanted: None)
    monkeypatch.setattr(cores, "Thread", Third)
    assert known_work() == [None]


def test_cores_that_are_not_told_are_no_error(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", refusing(errno.EPERM))
    assert cores.known_work() is None
