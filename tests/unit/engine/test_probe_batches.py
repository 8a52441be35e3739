"""Random samples for parity of tasks with CTC have labels that fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.engine import probe_batches
from suite.engine.fitting import misfit
from tasks.base import Batch, probe_batch
from tasks.codec import bare
from tasks.spec import CTC, SGD, Conv1d, Input, ModelSpec


def task_of(blank):
    conv = Conv1d(in_features=3, out_features=5, kernel_size=3, stride=2, padding=1)
    model = ModelSpec(name="m", input=Input(shape=(9, 3)), layers=(("conv", conv),))
    return replace(bare(model, SGD(learning_rate=0.1), 4), loss=CTC(blank=blank))


@pytest.mark.parametrize("blank", [0, 2, 4])
def test_random_labels_fit_in_the_steps_and_are_of_every_class_but_the_blank(blank):
    task = task_of(blank)
    batch = probe_batch(task, 60, 1)
    assert misfit(task, batch) is None
    assert {*np.unique(batch.targets)} == {-1, 0, 1, 2, 3, 4} - {blank}
    assert {*(batch.targets >= 0).sum(axis=1)} == {0, 1, 2}
    valid = np.arange(9) < np.array([[9], [5], [1]])
    own = Batch(
        inputs=batch.inputs[:3],
        targets=np.array([[1, 3, 1, 3, 1], [3, 1, 3, -1, -1], [3, -1, -1, -1, -1]], np.int32),
        valid=valid,
    )
    drawn = probe_batches.random(task, own, 1)
    assert ((drawn.targets >= 0) == (own.targets >= 0)).all()
    assert misfit(task, drawn) is None


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([0, 1], "targets is int32 (2,), it must be whole numbers (2, labels)"),
        ([[1, 2], [5, -1]], "targets has 5, it must be below 5"),
        ([[1, 2], [-1, 1]], "targets has a label behind padding, it must be in front of it"),
        ([[1, 2], [3, 0]], "targets has 0, which is the blank"),
        ([[1, 2], [1, 1]], "sample 1 has 2 valid steps, its labels need 3"),
    ],
)
def test_labels_that_do_not_fit_are_named(targets, words):
    task, valid = task_of(0), np.arange(9) < np.array([[9], [4]])
    inputs = np.zeros((2, 9, 3))
    batch = Batch(inputs=inputs, targets=np.array(targets, np.int32), valid=valid)
    assert misfit(task, batch) == words
