"""Steps without a wait between them beside steps with one."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from backends.base import State
from suite.worker import in_a_row

START = State(parameters={"a": np.array([1.0, 2.0]), "b": np.array([3.0])}, buffers={})


class Descent:
    """A program whose parameters go down by a tenth in each step, but for those ``left_out``, a
    step's number since the last wait and since the last state, where a ``part`` of them or all
    stand.
    """

    def __init__(self, left_out=lambda unseen, step: False, part=None):
        self.left_out, self.part, self.unseen = left_out, part, 0

    def load_state(self, state):
        self.now, self.step = dict(state.parameters), 0

    def state(self):
        return State(parameters=dict(self.now), buffers={})

    def train_step(self, batch):
        self.unseen, self.step = self.unseen + 1, self.step + 1
        stands = self.left_out(self.unseen, self.step)
        for path, before in self.now.items():
            self.now[path] = before - 0.1 * (not stands or self.part not in (None, path))
        return 0.0

    def wait(self):
        self.unseen = 0

    def numpy(self, loss):
        return loss


def test_the_same_steps_end_at_the_same_place():
    assert in_a_row.compare(Descent(), None, START, 20) == (20, 0.0, 0, 0.0)


def test_steps_that_are_left_out_when_nobody_waits_show_at_the_end():
    found = in_a_row.compare(Descent(lambda unseen, _: unseen > 10), None, START, 20)
    assert found.apart == pytest.approx(0.5)
    assert found.standing == 0


@pytest.mark.parametrize("part", [None, "a"])
def test_steps_that_always_leave_parameters_out_leave_them_standing(part):
    found = in_a_row.compare(Descent(lambda _, step: step > 10 and step % 2, part), None, START, 20)
    assert (found.apart, found.standing) == (0.0, 5)


def test_parameters_that_no_step_moves_are_no_fault():
    found = in_a_row.compare(Descent(lambda _, step: True, "a"), None, START, 20)
    assert (found.apart, found.standing) == (0.0, 0)


def test_looking_at_large_parameters_ends(monkeypatch):
    monkeypatch.setattr(in_a_row, "LOOK_SECONDS", 0.0)
    found = in_a_row.compare(Descent(lambda _, step: step > 10 and step % 2), None, START, 20)
    assert found.standing == 0


def test_steps_that_end_elsewhere_each_time_are_made_again():
    calls, left_out = count(), {5, 25, 26, 45, 46, 47, 48}  # one, two and four of twenty
    found = in_a_row.compare(Descent(lambda *_: next(calls) in left_out), None, START, 20)
    assert found.apart == pytest.approx(1 / 18)
    assert found.again == pytest.approx(2 / 18)


def test_what_is_not_finite_is_infinitely_far():
    program = Descent()
    start = State(parameters={"a": np.array([np.nan, 1.0])}, buffers={})
    assert in_a_row.compare(program, None, start, 3).apart == 1e9
