"""The real frameworks under a memory limit: room enough for a step, not for every batch."""

from __future__ import annotations

import pytest

from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.plan import catalogue
from suite.worker.process import Limits, WorkerError, WorkerLost, WorkerSettings
from tests.conftest import configuration

SIZE = 49_152  # samples of cnn-tiny whose activations do not fit; the batch itself does

# What each says. TensorFlow's kernels do not survive every allocation that fails: on one machine
# the error comes as an exception, on another always as a SIGSEGV, which costs the worker.
CASES = {
    "torch": ("eager", WorkerError, "RuntimeError: .*can't allocate memory"),
    "jax": ("compiled", WorkerError, "JaxRuntimeError: RESOURCE_EXHAUSTED"),
    "tensorflow": (
        "compiled",
        (WorkerError, WorkerLost),
        "ResourceExhaustedError: OOM when allocating|the worker was killed by SIG(SEGV|ABRT)",
    ),
}


@pytest.mark.parametrize("backend", CASES)
def test_a_batch_too_large_is_an_error_that_the_crew_survives(
    backend, real_installations, tmp_path
):
    execution, kinds, words = CASES[backend]
    ours = configuration(real_installations, backend, execution, "float32")
    task_inputs = TaskInputs(catalogue.tasks()["cnn-tiny"], 0, tmp_path)
    settings = WorkerSettings(limits=Limits(memory_bytes=4 << 30))
    with WorkerPool(LiveWorkers(), tmp_path, "limited", settings) as pool:

        def step(phase: str, samples: int) -> float:
            program = pool.program(ours, task_inputs, task_inputs.initial)
            return program.block(phase, samples, steps=1).seconds

        assert step("train", 16) > 0
        process = pool.client(ours).worker.process.pid
        with pytest.raises(kinds, match=f"out of memory: ({words})") as raised:
            step("infer", SIZE)
        lost = raised.type is WorkerLost
        if lost:
            pool.lose(ours)
        assert step("train", 16) > 0
        assert (pool.client(ours).worker.process.pid != process) == lost
