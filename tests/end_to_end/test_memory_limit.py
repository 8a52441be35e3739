"""The real frameworks under a memory limit: room enough for a step, not for every batch."""

from __future__ import annotations

import pytest

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from suite.worker.host import Limits, WorkerError
from tests.conftest import lane

# Samples of cnn-tiny whose activations do not fit; the batch itself does. TensorFlow's kernels
# meet larger ones with a SIGSEGV, which costs the worker.
CASES = {
    "torch": ("eager", 49_152, "RuntimeError: .*can't allocate memory"),
    "jax": ("compiled", 49_152, "JaxRuntimeError: RESOURCE_EXHAUSTED"),
    "tensorflow": ("compiled", 36_864, "ResourceExhaustedError: OOM when allocating"),
}


@pytest.mark.parametrize("backend", CASES)
def test_a_batch_too_large_is_an_error_that_the_worker_survives(backend, real_arms, tmp_path):
    execution, size, words = CASES[backend]
    ours = lane(real_arms, backend, execution, "float32")
    material = Material(catalogue.tasks()["cnn-tiny"], 0, tmp_path)
    roster = Roster(Limits(memory_bytes=4 << 30))
    with Crew(roster, tmp_path, "limited") as crew:

        def step(phase: str, samples: int) -> float:
            worker = crew.member(ours).worker
            worker.call("place", task="cnn-tiny", size=samples)
            return worker.call("block", task="cnn-tiny", phase=phase, steps=1)["seconds"]

        crew.build(ours, material, material.initial)
        process = crew.member(ours).worker.process.pid
        assert step("train", 16) > 0
        with pytest.raises(WorkerError, match=f"out of memory: {words}"):
            step("infer", size)
        crew.build(ours, material, material.initial)
        assert step("train", 16) > 0
        assert crew.member(ours).worker.process.pid == process
