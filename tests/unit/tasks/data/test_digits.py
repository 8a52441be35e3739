"""Data sets that packages bring: sizes, splits, resizing."""

from __future__ import annotations

import numpy as np
import pytest

from suite.engine.inputs import TaskInputs
from suite.plan import catalogue
from suite.plan.plan import pick_tasks
from tasks.data.digits import resize

TASKS = catalogue.tasks()
SIZES = {
    "rnn-tiny": (398, 57, 114),
    "gpt-tiny": (640, 128, 256),
    "gpt-small": (4800, 512, 1024),
    "translation-tiny": (2400, 160, 320),
    "translation-small": (3000, 190, 380),
}


@pytest.mark.parametrize("name", [task.name for task in pick_tasks((), ("*",), TASKS)])
def test_splits_have_their_sizes_and_never_change(name, tmp_path):
    task = TASKS[name]
    splits = task.data.load()
    sizes = tuple(len(part) for part in (splits.train, splits.validation, splits.test))
    assert sizes == SIZES.get(name, (1257, 180, 360))
    for name, given in task.model.every_input.items():
        samples = splits.train.inputs[name] if name else splits.train.inputs
        assert samples.shape[1:] == given.shape
        if given.vocabulary is not None:
            assert samples.max() < given.vocabulary
            assert samples.dtype == np.int32
    hashes = {TaskInputs(task, 0, tmp_path).data_hash for _ in range(2)}
    assert len(hashes) == 1


def test_resizing_keeps_constants_and_means():
    images = np.arange(64.0).reshape(1, 8, 8)
    assert np.allclose(resize(np.ones((1, 8, 8)), 28), 1)
    assert resize(images, 32).mean() == pytest.approx(images.mean())
    assert np.array_equal(resize(images, 8), images)
