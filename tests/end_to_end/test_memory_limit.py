"""The real frameworks under a memory limit: room enough for a step, not for every batch."""

from __future__ import annotations

import pytest

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from suite.worker.host import Limits, WorkerError, WorkerLost
from tests.conftest import lane

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
def test_a_batch_too_large_is_an_error_that_the_crew_survives(backend, real_arms, tmp_path):
    execution, kinds, words = CASES[backend]
    ours = lane(real_arms, backend, execution, "float32")
    material = Material(catalogue.tasks()["cnn-tiny"], 0, tmp_path)
    roster = Roster(Limits(memory_bytes=4 << 30))
    with Crew(roster, tmp_path, "limited") as crew:

        def step(phase: str, samples: int) -> float:
            crew.build(ours, material, material.initial)
            worker = crew.member(ours).worker
            worker.call("place", task="cnn-tiny", size=samples)
            return worker.call("block", task="cnn-tiny", phase=phase, steps=1)["seconds"]

        assert step("train", 16) > 0
        process = crew.member(ours).worker.process.pid
        with pytest.raises(kinds, match=f"out of memory: ({words})") as raised:
            step("infer", SIZE)
        lost = raised.type is WorkerLost
        if lost:
            crew.lose(ours)
        assert step("train", 16) > 0
        assert (crew.member(ours).worker.process.pid != process) == lost
