"""Trainings in the real frameworks: killed and resumed, and their checkpoints exchanged."""

from __future__ import annotations

import pytest

from suite.accuracy import exchange, training
from suite.accuracy.training import TrainingJob
from suite.engine.inputs import TaskInputs
from suite.engine.job import Sink
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.plan import catalogue
from suite.plan.configurations import configurations, reference_configuration
from suite.plan.options import Choice
from suite.worker.process import WorkerLost, WorkerSettings

FRAMEWORKS = ("torch", "jax", "tensorflow")
TASKS = ("rnn-tiny", "transformer-tiny")
KILLED_AT = 4  # the call to train during which the worker dies


def configuration_of(real_installations, name: str):
    found = configurations(Choice(), list(real_installations.values()), "float32")
    return next(configuration for configuration in found if configuration.backend == name)


SHARED = WorkerSettings(share=2)


def train(pool: WorkerPool, one: TrainingJob):
    """The record of a training."""
    found = []
    one.job().run(pool, Sink("job", "1", found.append))
    (record,) = found
    return record


@pytest.fixture(scope="module")
def all_inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    return {name: TaskInputs(catalogue.tasks()[name], 0, folder) for name in TASKS}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_killed_training_ends_with_the_same_numbers(
    name, all_inputs, real_installations, tmp_path, monkeypatch
):
    task_inputs, configuration = all_inputs["rnn-tiny"], configuration_of(real_installations, name)
    whole = TrainingJob(configuration, task_inputs, "stored", tmp_path / "whole", first=True)
    broken = TrainingJob(configuration, task_inputs, "stored", tmp_path / "broken", first=False)
    with WorkerPool(LiveWorkers(), tmp_path / "logs", "whole", SHARED) as pool:
        undisturbed = train(pool, whole).training
    with WorkerPool(LiveWorkers(), tmp_path / "logs", "first", SHARED) as pool:
        worker, calls = pool.client(configuration).worker, []
        call = worker.call

        def dying(operation, **given):
            calls.extend([operation] if operation == "train" else [])
            if operation == "train" and len(calls) == KILLED_AT:
                worker.kill()
            return call(operation, **given)

        monkeypatch.setattr(worker, "call", dying)
        with pytest.raises(WorkerLost):
            broken._train(pool)
    with WorkerPool(LiveWorkers(), tmp_path / "logs", "second", SHARED) as pool:
        resumed = train(pool, broken).training
    assert resumed.resumed_after == [KILLED_AT - 1]
    assert undisturbed.repeats is True  # with a thread of its own each of them does
    for field in ("losses", "validation_accuracies", "validation_losses", "test_loss"):
        assert getattr(resumed, field) == getattr(undisturbed, field), field
    ends = [
        training.checkpoint(c.folder, configuration, task_inputs).final for c in (whole, broken)
    ]
    assert ends[0].read_bytes() == ends[1].read_bytes()
    assert sorted(path.name for path in ends[1].parent.iterdir()) == [ends[1].name]


def test_a_checkpoint_predicts_the_same_everywhere(all_inputs, real_installations, tmp_path):
    task_inputs, found = all_inputs["transformer-tiny"], []
    chosen = [configuration_of(real_installations, name) for name in FRAMEWORKS]
    for configuration in chosen:
        with WorkerPool(LiveWorkers(), tmp_path / "logs", "train", SHARED) as pool:
            train(
                pool,
                TrainingJob(configuration, task_inputs, "stored", tmp_path / "ends", first=False),
            )
    (group,) = exchange.groups(
        chosen,
        reference_configuration(list(real_installations.values())),
        [task_inputs],
        tmp_path / "ends",
    )
    with WorkerPool(LiveWorkers(), tmp_path / "logs", "exchange", SHARED) as pool:
        group.jobs[0].run(pool, Sink("job", "1", found.append))
    exchanged = [record.exchange for record in found]
    assert {(e.trained_in, e.evaluated_in) for e in exchanged} == {
        (a, b) for a in FRAMEWORKS for b in FRAMEWORKS
    }
    for e in exchanged:
        assert e.wrong == 0, e
        assert 0 < e.error < 1e-4
        assert len(e.disagreements) < 3
