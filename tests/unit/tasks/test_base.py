"""The order of the samples, and batches for parity."""

from __future__ import annotations

import numpy as np

from suite.plan import catalogue
from tasks.base import batch_order, probe_batch

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
