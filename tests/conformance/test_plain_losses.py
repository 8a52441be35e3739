"""The reference's losses and their gradients are those of plain PyTorch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from backends.numpy.losses import loss
from tasks import spec
from tasks.parameters import uniform

LOGITS = 4 * uniform(0, "logits", (7, 9, 5))
STEPS = np.array([9, 5, 4, 9, 1, 6, 3])
LABELS = np.array([[1, 2, 3], [1, 1, 0], [0, 0, 0], [2, 1, 2], [3, 0, 0], [2, 2, 2], [3, 1, 0]])
TARGETS = np.where(np.arange(63) % 4 == 2, -1, np.arange(63) * 3 % 5).reshape(7, 9)
GIVEN = {
    "smoothed/0.1": TARGETS,
    "smoothed/0.0": TARGETS,
    "ctc/0": LABELS - (LABELS == 0),
    "ctc/4": LABELS - 1,  # of which 0 is a label then
}


@pytest.fixture(scope="module")
def plain(real_installations, tmp_path_factory):
    file = tmp_path_factory.mktemp("losses") / "losses.npz"
    np.savez(file, logits=LOGITS, steps=STEPS, **GIVEN)
    script = Path(__file__).with_name("plain_losses.py")
    interpreter = real_installations["torch"].interpreter
    subprocess.run([interpreter, script, file], check=True, timeout=300)
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", GIVEN)
def test_plain_losses_agree(name, plain):
    kind, _, number = name.partition("/")
    made = spec.CTC(blank=int(number)) if kind == "ctc" else None
    made = made or spec.CrossEntropy(smoothing=float(number))
    valid = np.arange(LOGITS.shape[1]) < STEPS[:, None]
    value, gradient = loss(made, LOGITS, GIVEN[name].astype(np.int32), valid)
    assert value == pytest.approx(plain[name], rel=1e-12)
    error = np.linalg.norm(gradient - plain[f"{name}/gradient"])
    assert error < 1e-12 * np.linalg.norm(gradient)
