"""When is a ``wait`` at fault? One look that other work has spoilt decides nothing."""

from __future__ import annotations

import pytest

from suite.worker.waiting import Look, decided, fault


def look(waited, left, reading=0.5, changed=False, steps=6):
    """Milliseconds."""
    return Look(steps, waited / 1000, left / 1000, reading / 1000, changed)


GOOD = look(55, 0.8)
BAD = look(7, 50)
SLOW = look(300, 20)  # other work, which makes everything longer
SPOILT = look(55, 30)


@pytest.mark.parametrize(
    "looks",
    [
        [GOOD, GOOD],
        [SPOILT, GOOD, SPOILT, SPOILT, SPOILT, GOOD],
        [SLOW, SLOW],
        [look(55, 30, reading=29)] * 2,  # much is read
        [look(55, 60, reading=31)] * 2,  # and a little longer once
        [look(0.2, 0.9, reading=0.1)] * 2,  # nothing that a clock could tell
    ],
)
def test_a_wait_that_waits_is_at_no_fault(looks):
    assert decided(looks)
    assert not any(decided(looks[:count]) for count in range(len(looks)))
    assert fault(looks) is None


@pytest.mark.parametrize(
    "looks", [[BAD] * 5, [BAD, BAD, GOOD, BAD, BAD, BAD], [look(2, 5, steps=24)] * 5]
)
def test_a_wait_that_returns_early_is_told_with_the_least_that_it_hid(looks):
    assert decided(looks)
    assert not any(decided(looks[:count]) for count in range(len(looks)))
    assert "the first of " in fault(looks)
    assert "work went on for 4" in fault(looks)


def test_what_changes_later_was_not_there():
    looks = [look(55, 0.8, changed=True)]
    assert decided(looks)
    assert "was another later" in fault(looks)
