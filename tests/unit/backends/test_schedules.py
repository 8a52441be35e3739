"""The rate of a step, as the papers have it."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi

import numpy as np
import pytest

from backends import schedules
from tasks.spec import SGD
from tasks.spec.optimizer import SCHEDULES

PLAIN = SGD(learning_rate=0.3)


def rates(optimizer, steps):
    return [schedules.rate(optimizer, step) for step in steps]


def test_the_inverse_square_root_is_vaswanis():
    """arXiv 1706.03762, equation 3, with d_model such that its peak is the learning rate."""
    warmup, steps = 4, range(1, 30)
    given = replace(PLAIN, warmup_steps=warmup, schedule="inverse_sqrt")
    paper = [min(t**-0.5, t * warmup**-1.5) for t in steps]
    found = rates(given, steps)
    assert found == pytest.approx([0.3 * r / max(paper) for r in paper], rel=1e-15)
    assert max(found) == found[warmup - 1] == 0.3


def test_without_a_warm_up_the_inverse_square_root_begins_at_the_learning_rate():
    for warmup in (0, 1):
        given = replace(PLAIN, warmup_steps=warmup, schedule="inverse_sqrt")
        assert rates(given, (1, 4, 100)) == pytest.approx([0.3, 0.15, 0.03], rel=1e-15)


def test_the_cosine_is_loshchilovs():
    """arXiv 1608.03983, equation 5, with the least rate 0 and no restarts."""
    given = replace(PLAIN, schedule="cosine", decay_steps=8)
    wanted = [0.15 * (1 + cos(pi * t / 8)) for t in range(1, 9)]
    assert rates(given, range(1, 9)) == pytest.approx(wanted, abs=1e-16)
    assert rates(given, (8, 9, 16, 1000)) == [0, 0, 0, 0]


def test_the_cosine_begins_where_the_warm_up_ends():
    given = replace(PLAIN, warmup_steps=4, schedule="cosine", decay_steps=8)
    found = rates(given, range(1, 9))
    assert found == pytest.approx([0.075, 0.15, 0.225, 0.3, *found[4:]], rel=1e-15)
    assert found[5] == pytest.approx(0.15, rel=1e-15)
    assert sorted(found[3:], reverse=True) == found[3:]


def test_milestones_divide_what_the_schedule_leaves():
    given = replace(PLAIN, schedule="inverse_sqrt")
    stepped = replace(given, milestones=(3, 5))
    factors = [
        a / b for a, b in zip(rates(stepped, range(1, 8)), rates(given, range(1, 8)), strict=True)
    ]
    assert factors == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01, 0.01], rel=1e-15)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_arrays_have_the_same_rates(schedule):
    """In float32 all digits of it to the last step."""
    last = 1000 if schedule == "cosine" else None
    given = replace(
        PLAIN, warmup_steps=7, milestones=(30, 900), schedule=schedule, decay_steps=last
    )
    steps = np.arange(1, 1003)
    wanted = rates(given, steps.tolist())
    for dtype, unit in ((np.float64, 2.0**-53), (np.float32, 2.0**-24)):
        found = schedules.rate(given, steps.astype(dtype), np)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=16 * unit, atol=0)
