"""Parameters, data, order and codec: the same everywhere, for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from suite import catalogue
from suite.material import Material
from suite.plan import pick_tasks
from tasks import codec, spec
from tasks.base import batch_order, probe_batch
from tasks.data.digits import resize
from tasks.parameters import initial, probe, uniform

TASKS = catalogue.tasks()
RECORDED_UNIFORM = [0.2711965389595714, 0.713309627058019, -0.2081216664862311]
RECORDED_INITIAL = "0492128ffdb3"


def digest(arrays):
    whole = sha256()
    for path, array in arrays.items():
        whole.update(path.encode() + array.tobytes())
    return whole.hexdigest()[:12]


def test_values_never_change():
    # Recorded once; another NumPy or machine must give the same bits.
    assert uniform(0, "a", (3,)).tolist() == RECORDED_UNIFORM
    assert digest(initial(TASKS["cnn-tiny"].model, 0)) == RECORDED_INITIAL


def test_a_new_layer_changes_no_other_layers_values():
    model = TASKS["cnn-tiny"].model
    longer = replace(
        model, layers=(*model.layers, ("fc3", spec.Linear(in_features=10, out_features=2)))
    )
    before, after = initial(model, 0), initial(longer, 0)
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_seeds_and_paths_have_streams_of_their_own():
    assert not np.array_equal(uniform(0, "a", (9,)), uniform(1, "a", (9,)))
    assert not np.array_equal(uniform(0, "a", (9,)), uniform(0, "b", (9,)))


def test_values_are_uniform():
    values = uniform(0, "x", (100_000,))
    assert values.min() >= -1
    assert values.max() < 1
    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1 / 3) < 0.01


@pytest.mark.parametrize("name", TASKS)
def test_probe_leaves_nothing_constant(name):
    for path, array in probe(TASKS[name].model, 0).items():
        assert array.dtype == np.float64
        assert array.std() > 0, path
        assert not np.isin(array, (0.0, 1.0)).any(), path


@pytest.mark.parametrize("name", [task.name for task in pick_tasks((), ("*",), TASKS)])
def test_splits_have_their_sizes_and_never_change(name, tmp_path):
    task = TASKS[name]
    splits = task.data.load()
    sizes = tuple(len(part) for part in (splits.train, splits.validation, splits.test))
    assert sizes == ((398, 57, 114) if name == "rnn-tiny" else (1257, 180, 360))
    assert splits.train.inputs.shape[1:] == task.model.input.shape
    if task.model.input.vocabulary is not None:
        assert splits.train.inputs.max() < task.model.input.vocabulary
        assert splits.train.inputs.dtype == np.int32
    hashes = {Material(task, 0, tmp_path).data_hash for _ in range(2)}
    assert len(hashes) == 1


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


def test_resizing_keeps_constants_and_means():
    images = np.arange(64.0).reshape(1, 8, 8)
    assert np.allclose(resize(np.ones((1, 8, 8)), 28), 1)
    assert resize(images, 32).mean() == pytest.approx(images.mean())
    assert np.array_equal(resize(images, 8), images)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_survives_its_journey_to_a_worker(name):
    task = codec.portable(TASKS[name])
    assert codec.decode(json.loads(json.dumps(codec.encode(task)))) == task


def test_the_spec_hash_tells_recipes_apart():
    task = TASKS["cnn-tiny"]
    other = replace(task, optimizer=replace(task.optimizer, momentum=0.8))
    assert codec.spec_hash(task) == codec.spec_hash(replace(task))
    assert codec.spec_hash(task) != codec.spec_hash(other)


def test_a_field_that_came_later_changes_only_the_hashes_of_those_who_use_it():
    task = TASKS["cnn-tiny"]
    stepped = replace(task, optimizer=replace(task.optimizer, milestones=(500,)))
    assert codec.spec_hash(task) == "1623ac375095"  # as in results/published, of before milestones
    assert codec.spec_hash(stepped) != codec.spec_hash(task)


def test_tables_start_with_the_deviation_that_their_spec_names():
    table = spec.Embedding(vocabulary=500, width=40, initial_deviation=0.02)
    given = spec.Input(shape=(3,), vocabulary=500)
    model = spec.ModelSpec(name="m", input=given, layers=(("table", table),))
    assert initial(model, 0)["table.weight"].std() == pytest.approx(0.02, rel=0.02)
