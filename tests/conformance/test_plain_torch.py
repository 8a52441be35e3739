"""Parameters saved as .npz load by name into plain PyTorch modules and give the same logits; and
the specs count the parameters and operations that PyTorch counts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from backends.base import State
from backends.numpy import Backend
from suite.plan import catalogue
from tasks.base import probe_batch
from tasks.parameters import probe, probe_buffers

TASKS = {
    name: task for name, task in catalogue.tasks().items() if name.endswith(("-tiny", "-small"))
}


@pytest.fixture(scope="module")
def given():
    """By task: its parameters, buffers and inputs."""
    return {
        name: (probe(task.model, 3), probe_buffers(task.model, 3), probe_batch(task, 4, 3))
        for name, task in TASKS.items()
    }


@pytest.fixture(scope="module")
def plain(given, real_installations, tmp_path_factory):
    """By task: what PyTorch computes and counts. In one process, whose start takes longest."""
    folder = tmp_path_factory.mktemp("plain")
    for name, (parameters, buffers, batch) in given.items():
        np.savez(folder / f"{name}-parameters.npz", **parameters, **buffers)
        arrays = {key: array for key, array in batch.arrays().items() if key != "targets"}
        np.savez(folder / f"{name}-inputs.npz", **arrays)
    script = Path(__file__).with_name("plain_torch.py")
    subprocess.run(
        [real_installations["torch"].interpreter, script, folder, *TASKS], check=True, timeout=300
    )
    found = {}
    for name in TASKS:
        with np.load(folder / f"{name}-out.npz") as arrays:
            found[name] = dict(arrays)
    return found


@pytest.mark.parametrize("name", TASKS)
def test_plain_modules_agree(name, given, plain):
    task, found = TASKS[name], plain[name]
    parameters, buffers, batch = given[name]
    program = Backend().build(task, parameters)
    program.load_state(State(parameters=parameters, buffers=buffers))
    logits = program.predict(program.put(batch))
    error = np.linalg.norm(found["logits"] - logits) / np.linalg.norm(logits)
    assert error < 1e-12

    for place in task.model.places():
        layer, path = place.layer, place.path
        size = sum(np.prod(p.shape) for p in layer.parameters().values())
        if size:
            assert size == found[f"parameters/{path}"], path
            assert layer.flops(*place.input_shapes) == found.get(f"flops/{path}", 0), path
        else:
            assert layer.flops(*place.input_shapes) == 0, path
