"""Weights that a task starts from: what is taken, and what is refused in one sentence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from suite.engine.arrays import read
from suite.engine.inputs import TaskInputs
from suite.errors import CommandError
from suite.plan import catalogue
from suite.weights.start import started
from tasks.codec import encode, portable, spec_hash
from tasks.parameters import probe, probe_buffers

TASKS = catalogue.tasks()
NAME = "cnn-small"  # it has buffers


def arrays():
    model = TASKS[NAME].model
    own = probe(model, 1) | probe_buffers(model, 1)
    return {path: array.astype(np.float32) for path, array in own.items()}


def written(folder, name="own.npz", **changed):
    file = folder / name
    kept = {key: value for key, value in (arrays() | changed).items() if value is not None}
    np.savez(file, **kept)
    return file


def test_training_starts_from_the_weights_and_buffers_of_the_file(tmp_path):
    task = started(TASKS, [f"{NAME}={written(tmp_path)}"])[NAME]
    found = read(TaskInputs(task, 0, tmp_path / "inputs").initial)
    wanted = arrays()
    assert found.keys() == wanted.keys() > task.model.parameters().keys()
    for path, array in wanted.items():
        assert found[path].dtype == np.float64
        assert np.array_equal(found[path], array)


def test_the_task_is_the_same_one(tmp_path):
    task = started(TASKS, [f"{NAME}={written(tmp_path)}"])[NAME]
    assert spec_hash(task) == spec_hash(TASKS[NAME])
    assert encode(portable(task)) == encode(portable(TASKS[NAME]))


def test_the_name_changes_with_what_is_in_the_file(tmp_path):
    first, same = (
        started(TASKS, [f"{NAME}={written(tmp_path)}"])[NAME].weights.name for _ in range(2)
    )
    bias = next(path for path in arrays() if path.endswith("bias"))
    changed = {bias: arrays()[bias] + 1}
    other = started(TASKS, [f"{NAME}={written(tmp_path, **changed)}"])[NAME].weights.name
    assert first == same != other
    assert re.fullmatch(r"own\.npz [0-9a-f]{12}", first)


PATH = next(iter(arrays()))
REFUSED = {
    "form": ("cnn-small", "it must be TASK=FILE"),
    "no file": ("cnn-small=", "it must be TASK=FILE"),
    "task": ("cnn-huge=own.npz", "no task 'cnn-huge'"),
    "not there": ("cnn-small=none.npz", "none.npz is not there"),
    "format": ("cnn-small=own.pt", "own.pt is no .npz file"),
}
SPOILT = {
    "missing": ({PATH: None}, PATH),
    "shape": ({PATH: np.zeros(3, np.float32)}, PATH),
    "left over": ({"more": np.zeros(3, np.float32)}, "more"),
    "type": ({PATH: arrays()[PATH].astype(np.int64)}, f"{PATH} is int64; allowed are float16"),
    "not finite": ({PATH: arrays()[PATH] * np.nan}, f"{PATH} has a value that is not finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_file_of_a_task_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    option, told = REFUSED[case]
    with pytest.raises(CommandError, match=re.escape(told)) as refused:
        started(TASKS, [option])
    assert refused.value.exit_code == 2


def test_a_task_has_weights_once(tmp_path):
    option = f"{NAME}={written(tmp_path)}"
    with pytest.raises(CommandError, match=f"{NAME} has weights already"):
        started(TASKS, [option, option])


@pytest.mark.parametrize("case", SPOILT)
def test_what_is_not_the_model_is_refused(case, tmp_path):
    changed, told = SPOILT[case]
    with pytest.raises(CommandError, match=re.escape(told)) as refused:
        started(TASKS, [f"{NAME}={written(tmp_path, **changed)}"])
    assert "\n" not in str(refused.value)
