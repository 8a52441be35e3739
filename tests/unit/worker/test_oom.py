"""What the system killed for want of memory is told."""

from __future__ import annotations

import sys

import pytest

from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.plan import catalogue
from suite.plan.configurations import configurations
from suite.plan.options import Choice
from suite.worker import oom
from suite.worker.adapters import Adapter
from suite.worker.installations import Installation
from suite.worker.process import WorkerLost
from tests.conftest import PLUGINS, write_script


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("0::/a/b", "a/b/memory.events"),
        ("0::/a/b", "memory.events"),  # a container that does not see where it is
        ("7:cpu:/\n4:hugetlb,memory:/a b\n0::/", "memory/a b/memory.oom_control"),
        ("4:memory:/a", "memory/memory.oom_control"),
        ("", "vmstat"),
    ],
)
@pytest.mark.parametrize("more", [0, 1])
def test_what_the_system_killed_for_want_of_memory_is_told(
    more, group, file, tmp_path, monkeypatch
):
    told = tmp_path / "groups" / file
    told.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cgroup").write_text(f"{group}\n")
    monkeypatch.setattr(oom, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(oom, "MOUNTED", tmp_path / "groups")
    monkeypatch.setattr(oom, "EVERYWHERE", tmp_path / "groups" / "vmstat")
    told.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS / "scripted"))
    script = {"scripted": {"do": "die", "at": 3}}
    monkeypatch.setenv("SCRIPT", str(write_script(tmp_path, script)))
    adapter = Adapter(name="scripted", target="", precisions=("float32",), executions=("eager",))
    installation = Installation(name="scripted", interpreter=sys.executable, adapter=adapter)
    task_inputs = TaskInputs(catalogue.tasks()["rnn-tiny"], 0, tmp_path)
    (configuration,) = configurations(Choice(), [installation], "float32")
    with WorkerPool(LiveWorkers(), tmp_path, "0") as pool:
        program = pool.program(configuration, task_inputs, task_inputs.initial)
        program.put(64)
        told.write_text(f"low 0\noom 4\noom_kill {2 + more}\noom_group_kill 0\n")
        with pytest.raises(WorkerLost) as lost:
            program.block("train", 64, 4)
    killed = "the worker was killed by SIGKILL during block; see scripted-0.log"
    assert str(lost.value) == (f"out of memory: {killed}" if more else killed)
