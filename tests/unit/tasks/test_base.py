"""The order of the samples, and batches for parity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from suite.engine import probe_batches
from suite.plan import catalogue
from tasks.base import Batch, batch_order, probe_batch
from tasks.spec import Embedding, Input, Linear, ModelSpec

TASKS = catalogue.tasks()


def test_every_sample_is_used_once_an_epoch():
    rows = list(batch_order(samples=50, batch_size=16, epochs=2, seed=0))
    assert len(rows) == 6
    first, second = np.concatenate(rows[:3]), np.concatenate(rows[3:])
    assert len(set(first)) == 48
    assert not np.array_equal(first, second)


def test_probe_batches_cover_the_vocabulary():
    task = TASKS["transformer-tiny"]
    batch = probe_batch(task, 32, 0)
    assert set(batch.inputs.ravel()) == set(range(10))
    assert set(batch.targets) == {0, 1}


def test_a_batch_of_named_inputs_is_the_same_after_a_file():
    batch = Batch(
        inputs={"source": np.arange(12).reshape(4, 3), "target": np.arange(8).reshape(4, 2)},
        targets=np.arange(4),
        valid={"target": np.arange(8).reshape(4, 2) > 2},
    )
    arrays = batch.arrays()
    assert [*arrays] == ["inputs.source", "inputs.target", "targets", "valid.target"]
    again = Batch.of(arrays)
    assert [*again.inputs] == ["source", "target"]
    np.testing.assert_equal(vars(again), vars(batch))
    taken = batch.take(np.array([3, 0]))
    np.testing.assert_equal(taken.inputs["source"], [[9, 10, 11], [0, 1, 2]])
    np.testing.assert_equal(taken.valid["target"], [[True, True], [False, False]])
    plain = Batch(inputs=np.arange(4), targets=np.arange(4))
    assert [*plain.arrays()] == ["inputs", "targets"]
    assert Batch.of(plain.arrays()).valid is None


def test_targets_of_steps_are_probed_and_some_left_out():
    layers = (
        ("embedding", Embedding(vocabulary=9, width=4)),
        ("fc", Linear(in_features=4, out_features=6)),
    )
    model = ModelSpec(name="m", input=Input(shape=(20,), vocabulary=9), layers=layers)
    task = replace(TASKS["rnn-tiny"], model=model)
    batch = probe_batch(task, 15, 0)
    assert batch.targets.shape == (15, 20)
    assert batch.targets.dtype == np.int32
    assert set(batch.targets.ravel()) == {-1, *range(6)}
    assert 0.05 < np.mean(batch.targets < 0) < 0.25


def test_samples_with_targets_that_are_left_out_are_among_those_of_parity():
    task = TASKS["rnn-tiny"]  # batches of 16
    targets = np.tile(np.arange(10, dtype=np.int32) % 3, (200, 1))
    targets[150, 4] = -1
    targets[170, 2] = 7
    train = Batch(inputs=np.zeros((200, 3, 10)), targets=targets)
    found = probe_batches.own(task, train, np.arange(16))
    assert {-1, 7} <= set(found.targets.ravel())


def test_targets_that_are_not_valid_are_left_out():
    targets = np.array([[1, 2, 3], [4, 5, 6]], np.int32)
    mask = np.array([[True, True, False], [True, False, False]])
    batch = Batch(inputs=np.zeros((2, 3)), targets=targets, target_valid=mask)
    assert batch.targets.tolist() == [[1, 2, -1], [4, -1, -1]]
    assert batch.targets.dtype == np.int32
    assert Batch.of(batch.arrays()).targets.tolist() == batch.targets.tolist()
    assert replace(batch, valid=mask).targets.tolist() == batch.targets.tolist()
    assert targets.min() == 1
