"""Batches that a program has not met, and how a result is held against what they must give."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import State
from suite.worker import fresh
from tasks.base import Batch


def batch(samples: int) -> Batch:
    numbers = np.arange(samples, dtype=float)
    return Batch(inputs=numbers[:, None], targets=numbers.astype(np.int32))


class Doubling:
    """A program that doubles, and counts what it is given."""

    def __init__(self) -> None:
        self.put_batches: list[Batch] = []

    def put(self, samples: Batch) -> Batch:
        self.put_batches.append(samples)
        return samples

    def predict(self, samples: Batch) -> np.ndarray:
        return 2 * samples.inputs

    def wait(self) -> None:
        pass

    def numpy(self, array: np.ndarray) -> np.ndarray:
        return array


@pytest.mark.parametrize(("samples", "size"), [(1000, 16), (1000, 128), (1000, 1), (20, 48)])
def test_a_pool_is_whole_batches_of_training_samples(samples, size):
    rows = fresh.pool_rows(samples, size)
    assert len(rows) % size == 0
    assert max(size, 64) <= len(rows) < 64 + size
    assert rows.max() < samples
    pool = fresh.Pool(batch(samples).take(rows), size)
    assert [len(each) for each in pool.whole()] == [size] * (len(rows) // size)


def test_unmet_batches_differ_and_come_with_their_logits():
    program, pool = Doubling(), fresh.Pool(batch(64), 64)
    found = [fresh.unmet(program, pool) for _ in range(5)]
    assert len({tuple(one.inputs[:, 0]) for one, _ in found}) == 5
    assert not any(each.targets.any() for each in program.put_batches)
    for one, logits in found:
        np.testing.assert_array_equal(logits, 2 * one.inputs)


@pytest.mark.parametrize(("kind", "apart"), [("Scaling", 0.0), ("Beforehand", 1 / fresh.OTHER - 1)])
def test_a_prediction_is_of_the_present_parameters(kind, apart):
    """Whenever its batch was put on the device; afterwards they are as before."""
    program, pool = (
        {"Scaling": Scaling, "Beforehand": Beforehand}[kind](),
        fresh.Pool(batch(64), 64),
    )
    found = fresh.compare(program, pool, "infer", 5, 1.0)
    assert found.apart > 0.3 if apart else found.apart == 0
    assert min(found.new, found.repeated, found.since) > 0
    np.testing.assert_array_equal(program.state().parameters["a"], [2.0])
    assert len({tuple(each.inputs[:, 0]) for each in program.put_batches[:6]}) == 6


def test_steps_of_training_have_new_batches_too():
    program, pool = Trained(lambda samples: 0.0), fresh.Pool(batch(64), 64)
    found = fresh.compare(program, pool, "train", 5, 1.0)
    assert (found.since, found.apart, len(program.put_batches)) == (None, None, 6)
    assert fresh.compare(program, pool, "train", 5, 0.0) is None


def test_a_long_way_to_the_device_ends_the_supply(monkeypatch):
    program, pool = Doubling(), fresh.Pool(batch(64), 64)
    pool.spent_seconds = fresh.MOST_SECONDS - 1e-9
    first = fresh.unmet(program, pool)[0]
    pool.spent_seconds = fresh.MOST_SECONDS
    assert fresh.unmet(program, pool)[0] is first


def test_rows_repeat_few_samples():
    np.testing.assert_array_equal(fresh.rows(3, 5), [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(fresh.rows(9, 4), [0, 1, 2, 3])
    np.testing.assert_array_equal(fresh.rows(9, 4, 2), [0, 1, 0, 1])


def test_the_distance_is_of_the_worst_row():
    wanted = np.array([[3.0, 4.0], [0.0, 5.0]])  # each of norm 5
    assert fresh.distance(wanted, wanted) == 0
    assert fresh.distance(wanted + np.array([[0, 0], [0, 0.5]]), wanted) == pytest.approx(0.1)
    assert fresh.distance(wanted * np.nan, wanted) == float("inf")
    assert fresh.distance(wanted[:1], wanted) == float("inf")
    assert fresh.told(float("inf")) == 1e9


class Scaling(Doubling):
    """Predicts its parameter's multiple."""

    def __init__(self) -> None:
        super().__init__()
        self.now = np.array([2.0])

    def predict(self, samples: Batch) -> np.ndarray:
        return self.now * samples.inputs

    def state(self) -> State:
        return State(parameters={"a": self.now}, buffers={})

    def load_state(self, state: State) -> None:
        self.now = state.parameters["a"]


class Beforehand(Scaling):
    """Predicts what it puts on the device."""

    def put(self, samples: Batch) -> np.ndarray:
        return super().predict(super().put(samples))

    def predict(self, samples: np.ndarray) -> np.ndarray:
        return samples


class Trained(Doubling):
    """A program whose parameter goes down by a tenth with each batch that ``moves`` it."""

    def __init__(self, moves) -> None:
        super().__init__()
        self.moves, self.now = moves, np.array([1.0])

    def train_step(self, samples: Batch) -> np.ndarray:
        before = self.now.copy()
        self.now = self.now - 0.1 * self.moves(samples)
        return before

    def state(self) -> State:
        return State(parameters={"a": self.now}, buffers={})

    def load_state(self, state: State) -> None:
        self.now = state.parameters["a"]


@pytest.mark.parametrize(
    ("moves", "update"),
    [
        (lambda samples: 1.0, 0.0),
        (lambda samples: 0.5 if samples is MET else 1.0, 0.5),
        (lambda samples: 0.0, 1e9),  # as the other does: neither makes its step
    ],
)
def test_a_second_step_must_do_what_it_does_with_a_new_batch_and_move(moves, update):
    program, start = Trained(moves), State(parameters={"a": np.array([1.1])}, buffers={})
    found = fresh.repeated(program, MET, batch(4), start, program.state(), whole=True)
    assert found["loss"] == 0
    assert found["update"] == pytest.approx(update)


def test_a_parameter_that_never_moves_may_stand():
    program = Trained(lambda samples: 0.0)
    here = program.state()
    assert fresh.repeated(program, MET, batch(4), here, here, whole=True)["update"] == 0


MET = batch(4)
