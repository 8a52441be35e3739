"""Same start, same batch order: the same loss curve."""

from __future__ import annotations

import numpy as np

from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.plan import catalogue
from tests.conftest import configuration

STEPS = 50


def test_the_first_steps_of_cnn_tiny_agree(real_installations, tmp_path):
    task_inputs = TaskInputs(catalogue.tasks()["cnn-tiny"], 0, tmp_path)
    curves = {}
    with WorkerPool(LiveWorkers(), tmp_path, "curves") as pool:
        for backend in ("torch", "jax", "tensorflow"):
            execution = real_installations[backend].adapter.executions[0]
            where = configuration(real_installations, backend, execution, "float32")
            program = pool.program(where, task_inputs, task_inputs.initial)
            curves[backend] = np.array(program.train(0, STEPS).losses)
    for backend in ("jax", "tensorflow"):
        assert np.abs(curves[backend] - curves["torch"]).max() <= 1e-4
    assert curves["torch"][-5:].mean() < curves["torch"][:5].mean()
