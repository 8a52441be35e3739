"""Random samples in a model's shapes."""

from __future__ import annotations

import numpy as np
import pytest

from suite.engine.fitting import misfit
from tasks import real
from tasks.base import Task
from tasks.data.drawn import MASKED, RandomSamples
from tasks.models.bert import bert
from tasks.models.resnet import resnet50

TEXT = bert(steps=64, blocks=1, width=8, heads=2, hidden=16, vocabulary=97, rows=64)


@pytest.mark.parametrize("task", real.tasks(), ids=lambda task: task.name)
def test_a_model_takes_its_samples(task: Task):
    splits = task.data.load()
    assert len(splits.train) == 8 * task.timed_batch_size
    for batch in vars(splits).values():
        assert misfit(task, batch) is None


def test_parts_differ_and_are_the_same_every_time():
    data = RandomSamples(model=resnet50(size=32, classes=10), train=5, held=3)
    first, again = data.load(), data.load()
    assert np.array_equal(first.train.inputs, again.train.inputs)
    assert first.train.inputs.shape == (5, 3, 32, 32)
    assert not np.array_equal(first.train.inputs[:3], first.test.inputs)
    assert not np.array_equal(first.validation.inputs, first.test.inputs)
    assert data.name == "random samples, 3x32x32"


def test_a_share_of_the_steps_has_a_target_and_every_sample_one():
    data = RandomSamples(model=TEXT, train=200, masked=MASKED)
    batch = data.load().train
    assert set(batch.inputs) == {"ids", "types"}
    assert batch.inputs["ids"].max() == 96
    told = batch.targets >= 0
    assert told.any(axis=1).all()
    assert abs(told[:, 1:].mean() - MASKED) < 0.01
    assert data.name == "random samples, ids: 64 ids of 97, types: 64 ids of 2"


def test_all_steps_have_a_target_where_none_is_masked():
    batch = RandomSamples(model=TEXT, train=4).load().train
    assert (batch.targets >= 0).all()
