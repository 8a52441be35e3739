"""A later launch finds what the first compiled, however much each computed before it was asked."""

from __future__ import annotations

import pytest

from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.plan import catalogue
from suite.worker.process import WorkerSettings
from tests.conftest import configuration


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_nothing_is_compiled_twice(backend, real_installations, tmp_path):
    task_inputs = TaskInputs(catalogue.tasks()["rnn-tiny"], 0, tmp_path)
    where, compiled, seen = (
        configuration(real_installations, backend, "compiled", "float32"),
        tmp_path / "all",
        [],
    )
    for launch, steps in enumerate((3, 20)):
        settings = WorkerSettings(compiled=compiled)
        with WorkerPool(LiveWorkers(), tmp_path / "logs", str(launch), settings) as pool:
            program = pool.program(where, task_inputs, task_inputs.initial)
            for phase in ("train", "infer"):
                program.block(phase, task_inputs.task.batch_size, steps)
        seen.append({file.name for file in compiled.rglob("*") if file.is_file()})
    assert seen[0]
    assert seen[0] == seen[1]
