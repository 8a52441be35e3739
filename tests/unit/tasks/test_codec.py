"""A task on its way to a worker, and the hash of its recipe."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from suite.plan import catalogue
from tasks import codec

TASKS = catalogue.tasks()


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
