"""How parity is divided among workers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.engine.inputs import TaskInputs
from suite.parity.gate import groups
from suite.plan import catalogue
from suite.plan.configurations import configurations
from suite.plan.options import Choice
from tests.fixtures.installations import ARMS

TASKS = catalogue.tasks()


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_every_part_of_parity_has_its_own_tasks_the_largest_first(parts, tmp_path):
    asked = [TaskInputs(TASKS[name], seed, tmp_path) for name in TASKS for seed in range(2)]
    chosen = configurations(Choice(), ARMS[:3], "float32", every=True)
    found = groups(chosen, asked, [SimpleNamespace()] * parts, tmp_path)
    names = [job.id for group in found for job in group.jobs]
    assert len(names) == len(set(names)) == len(chosen) * len(asked)
    where = {name: group for group in found for name in map(_task_and_program, group.jobs)}
    assert len(where) == len(chosen) * len(TASKS)  # both seeds of a task in one group
    largest = max(TASKS.values(), key=lambda task: task.model.flops() * task.batch_size)
    first = [job.id.split("/")[1] for group in found[: len(chosen)] for job in group.jobs]
    assert parts == 1 or largest.name in first
    assert parts == 1 or len({group.suffix for group in found}) == 2 * parts


def _task_and_program(job):
    _, task, _, backend, execution = job.id.split("/")
    return task, backend, execution
