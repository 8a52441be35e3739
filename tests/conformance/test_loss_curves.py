"""Same start, same batch order: the same loss curve."""

from __future__ import annotations

import numpy as np

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from tests.conftest import lane

STEPS = 50


def test_the_first_steps_of_cnn_tiny_agree(real_arms, tmp_path):
    material = Material(catalogue.tasks()["cnn-tiny"], 0, tmp_path)
    curves = {}
    with Crew(Roster(), tmp_path, "curves") as crew:
        for backend in ("torch", "jax", "tensorflow"):
            execution = real_arms[backend].adapter.executions[0]
            where = lane(real_arms, backend, execution, "float32")
            crew.build(where, material, material.initial)
            worker = crew.member(where).worker
            answer = worker.call("train", task="cnn-tiny", first=0, last=STEPS)
            curves[backend] = np.array(answer["losses"])
    for backend in ("jax", "tensorflow"):
        assert np.abs(curves[backend] - curves["torch"]).max() <= 1e-4
    assert curves["torch"][-5:].mean() < curves["torch"][:5].mean()
