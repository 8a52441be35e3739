"""The stages of a run take the time that was announced."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.plan import catalogue
from suite.plan.options import Choice
from suite.plan.plan import make
from suite.run.budget import total
from suite.run.stages import stages
from suite.store.directory import RunDirectory
from suite.worker.process import WorkerSettings
from tests.fixtures.installations import ARMS

TASKS = catalogue.tasks()


def test_the_time_that_is_announced_is_that_of_the_jobs(tmp_path):
    plan = make(Choice(profile="standard", launches=2), TASKS, ARMS)
    (tmp_path / "records.jsonl").touch()
    with RunDirectory(tmp_path) as store:
        reference = SimpleNamespace(configuration=None)
        found = stages(plan, [reference], tmp_path, store, WorkerSettings())
    seconds = sum(
        job.cost_seconds / stage.at_once
        for stage in found
        for group in stage.groups
        for job in group.jobs
    )
    assert seconds == pytest.approx(total(plan), abs=1)
