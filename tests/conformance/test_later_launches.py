"""A later launch finds what the first compiled, however much each computed before it was asked."""

from __future__ import annotations

import pytest

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from tests.conftest import lane


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
def test_nothing_is_compiled_twice(backend, real_arms, tmp_path):
    material = Material(catalogue.tasks()["rnn-tiny"], 0, tmp_path)
    where, compiled, seen = lane(real_arms, backend, "compiled", "float32"), tmp_path / "all", []
    for launch, steps in enumerate((3, 20)):
        with Crew(Roster(), tmp_path / "logs", str(launch), compiled=compiled) as crew:
            crew.build(where, material, material.initial)
            worker = crew.member(where).worker
            worker.call("place", task="rnn-tiny", size=material.task.batch_size)
            for phase in ("train", "infer"):
                worker.call("block", task="rnn-tiny", phase=phase, steps=steps)
        seen.append({file.name for file in compiled.rglob("*") if file.is_file()})
    assert seen[0]
    assert seen[0] == seen[1]
