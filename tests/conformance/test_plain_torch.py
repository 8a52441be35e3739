"""Parameters saved as .npz load by name into plain PyTorch modules and give the same logits."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from backends.numpy import Backend
from suite import catalogue
from tasks.base import probe_batch
from tasks.parameters import probe

TASKS = catalogue.tasks()


@pytest.mark.parametrize("name", ["cnn-tiny", "rnn-tiny", "transformer-tiny"])
def test_plain_modules_give_the_same_logits(name, real_arms, tmp_path):
    task = TASKS[name]
    parameters, batch = probe(task.model, 3), probe_batch(task, 8, 3)
    np.savez(tmp_path / "parameters.npz", **parameters)
    np.savez(tmp_path / "inputs.npz", inputs=batch.inputs)
    out = tmp_path / "out.npz"
    script = Path(__file__).with_name("plain_torch.py")
    files = (tmp_path / "parameters.npz", tmp_path / "inputs.npz", out)
    subprocess.run([real_arms["torch"].interpreter, script, name, *files], check=True, timeout=120)
    program = Backend().build(task, parameters)
    logits = program.predict(program.put(batch))
    with np.load(out) as arrays:
        error = np.linalg.norm(arrays["logits"] - logits) / np.linalg.norm(logits)
    assert error < 1e-12
