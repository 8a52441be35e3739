"""Copies of memory are timed one by one."""

from __future__ import annotations

from suite.machine.copying import copy_seconds


def test_every_copy_is_timed():
    found = copy_seconds(1 << 16, repeats=3, threads=2)
    assert len(found) == 3
    assert all(0 < seconds < 1 for seconds in found)
