"""Trainings in the real frameworks: killed and resumed, and their checkpoints exchanged."""

from __future__ import annotations

import pytest

from suite import catalogue
from suite.accuracy import exchange, training
from suite.accuracy.training import Course
from suite.crew import Crew, Roster
from suite.material import Material
from suite.plan import Choice, lanes
from suite.runner import reference_lane
from suite.work import Sink
from suite.worker.host import WorkerLost

FRAMEWORKS = ("torch", "jax", "tensorflow")
TASKS = ("rnn-tiny", "transformer-tiny")
KILLED_AT = 4  # the call to train during which the worker dies


def lane_of(real_arms, name: str):
    found = lanes(Choice(), list(real_arms.values()), "float32")
    return next(lane for lane in found if lane.arm.name == name)


def train(crew: Crew, course: Course):
    """The record of a training."""
    found = []
    course.unit().do(crew, Sink("unit", "1", found.append))
    (record,) = found
    return record


@pytest.fixture(scope="module")
def materials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("material")
    return {name: Material(catalogue.tasks()[name], 0, folder) for name in TASKS}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_killed_training_ends_with_the_same_numbers(
    name, materials, real_arms, tmp_path, monkeypatch
):
    material, lane = materials["rnn-tiny"], lane_of(real_arms, name)
    whole = Course(lane, material, "stored", tmp_path / "whole", first=True)
    broken = Course(lane, material, "stored", tmp_path / "broken", first=False)
    with Crew(Roster(), tmp_path / "logs", "whole", share=2) as crew:
        undisturbed = train(crew, whole).training
    with Crew(Roster(), tmp_path / "logs", "first", share=2) as crew:
        worker, calls = crew.member(lane).worker, []
        call = worker.call

        def dying(operation, **given):
            calls.extend([operation] if operation == "train" else [])
            if operation == "train" and len(calls) == KILLED_AT:
                worker.kill()
            return call(operation, **given)

        monkeypatch.setattr(worker, "call", dying)
        with pytest.raises(WorkerLost):
            broken._train(crew)
    with Crew(Roster(), tmp_path / "logs", "second", share=2) as crew:
        resumed = train(crew, broken).training
    assert resumed.resumed_after == [KILLED_AT - 1]
    assert undisturbed.repeats is True  # with a thread of its own each of them does
    for field in ("losses", "validation_accuracies", "validation_losses", "test_loss"):
        assert getattr(resumed, field) == getattr(undisturbed, field), field
    ends = [training.checkpoint(c.folder, lane, material).final for c in (whole, broken)]
    assert ends[0].read_bytes() == ends[1].read_bytes()
    assert sorted(path.name for path in ends[1].parent.iterdir()) == [ends[1].name]


def test_a_checkpoint_predicts_the_same_everywhere(materials, real_arms, tmp_path):
    material, found = materials["transformer-tiny"], []
    chosen = [lane_of(real_arms, name) for name in FRAMEWORKS]
    for lane in chosen:
        with Crew(Roster(), tmp_path / "logs", "train", share=2) as crew:
            train(crew, Course(lane, material, "stored", tmp_path / "ends", first=False))
    (track,) = exchange.tracks(
        chosen, reference_lane(list(real_arms.values())), [material], tmp_path / "ends"
    )
    with Crew(Roster(), tmp_path / "logs", "exchange", share=2) as crew:
        track.units[0].do(crew, Sink("unit", "1", found.append))
    exchanged = [record.exchange for record in found]
    assert {(e.trained_in, e.evaluated_in) for e in exchanged} == {
        (a, b) for a in FRAMEWORKS for b in FRAMEWORKS
    }
    for e in exchanged:
        assert e.wrong == 0, e
        assert 0 < e.error < 1e-4
        assert len(e.disagreements) < 3
