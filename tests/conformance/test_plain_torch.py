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


@pytest.mark.parametrize("name", TASKS)
def test_plain_modules_agree(name, real_installations, tmp_path):
    task = TASKS[name]
    parameters, buffers = probe(task.model, 3), probe_buffers(task.model, 3)
    batch = probe_batch(task, 4, 3)
    np.savez(tmp_path / "parameters.npz", **parameters, **buffers)
    np.savez(tmp_path / "inputs.npz", inputs=batch.inputs)
    script, out = Path(__file__).with_name("plain_torch.py"), tmp_path / "out.npz"
    files = (tmp_path / "parameters.npz", tmp_path / "inputs.npz", out)
    subprocess.run(
        [real_installations["torch"].interpreter, script, name, *files], check=True, timeout=300
    )
    with np.load(out) as arrays:
        found = dict(arrays)

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
            assert layer.flops(place.input_shape) == found.get(f"flops/{path}", 0), path
        else:
            assert layer.flops(place.input_shape) == 0, path
