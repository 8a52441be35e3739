"""docs/atlas.md: the frameworks do differ as it says, and the adapters do not."""

from __future__ import annotations

import json
import math
import re
import subprocess

import numpy as np
import pytest

from suite.parity.conformance.checks import CHECKS
from suite.parity.conformance.run import conform  # noqa: F401 (registers the checks)
from tests.conftest import ROOT

# By entry: the conformance check and case in which all adapters do the same. None: what no
# adapter has, or what is aligned before an adapter sees it.
ALIGNED = {
    "layer-norm-epsilon": ("layer", "norm"),
    "batch-norm-epsilon": ("layer", "batch-norm"),
    "batch-norm-momentum": ("program", "images"),
    "running-variance": ("program", "images"),
    "gelu": ("layer", "gelu"),
    "same-padding": ("layer", "conv-8-k3-s2-p1"),
    "average-pool-border": ("layer", "mean-pool-7-3-1"),
    "ties": ("ties", "pool-8-3-2"),
    "kinks": ("kinks", "relu"),
    "leaky-slope": None,
    "deviation": ("layer", "norm"),
    "lstm-biases": ("layer", "lstm-full"),
    "padded-outputs": ("layer", "lstm-ragged"),
    "rows-without-keys": ("layer", "attention-none"),
    "ids-out-of-range": None,
    "cross-entropy-clipping": ("program", "images"),
    "adam-epsilon": ("update", "adamw"),
    "weight-decay": ("update", "sgd-decay"),
    "momentum": ("update", "sgd-warmup"),
    "clipping": ("update", "sgd-clip"),
    "float64-inputs": ("put", "reals"),
    "denormals": None,
    "initial-linear": None,
    "initial-embedding": None,
}


@pytest.fixture(scope="module")
def found():
    """What each framework does, by entry."""
    answers = {}
    for framework in ("torch", "jax", "tensorflow"):
        python = ROOT / ".nox" / framework / "bin" / "python"
        script = ROOT / "tests" / "atlas" / f"{framework}_defaults.py"
        done = subprocess.run(
            [python, script], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        answers[framework] = json.loads(done.stdout.splitlines()[-1])
    return answers["torch"], answers["jax"], answers["tensorflow"]


def test_every_entry_is_documented_and_aligned():
    text = (ROOT / "docs" / "atlas.md").read_text()
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == sorted(
        ALIGNED, key=lambda name: text.index(f"### {name}\n")
    )
    cases = {(check.name, case) for check in CHECKS for case in check.cases}
    for name, case in ALIGNED.items():
        assert case is None or case in cases, name


def near(a, b, off=1e-6):
    return np.allclose(a, b, rtol=off, atol=0)


def test_layer_norm_epsilon(found):
    torch, jax, keras = (np.abs(f["layer-norm-epsilon"]).max() for f in found)
    assert near(torch, jax, 1e-3)
    assert torch / keras > 3


def test_batch_norm(found):
    torch, _, keras = found
    assert np.abs(torch["batch-norm-epsilon"]).max() > 3 * np.abs(keras["batch-norm-epsilon"]).max()
    assert near(torch["batch-norm-momentum"], 0.2)
    assert near(keras["batch-norm-momentum"], 0.02)
    assert near(torch["running-variance"], 2)
    assert near(keras["running-variance"]["keras"], 1)
    assert near(keras["running-variance"]["fused"], 2)


def test_gelu(found):
    torch, jax, tensorflow = (f["gelu"] for f in found)
    exact = [x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in (-2.7, 2.7)]
    assert near(torch, exact)
    assert near(tensorflow["tf.nn"], exact)
    for tanh in (jax, tensorflow["keras.ops"]):
        assert 4e-4 < np.abs(np.subtract(tanh, exact)).max() < 5e-4


def test_same_padding(found):
    torch, jax, tensorflow = (f["same-padding"] for f in found)
    assert torch["refuses"]
    assert torch["padding 1"] == [0, 2, 8, 10]
    assert jax["SAME"] == tensorflow["SAME"] == [5, 7, 13, 15]


def test_pooling(found):
    torch, _, tensorflow = found
    assert near(torch["average-pool-border"], 4 / 9)
    assert near(tensorflow["average-pool-border"], 1)
    for framework in found:
        assert framework["ties"]["pool"] == [1, 0, 0, 0]
        assert framework["ties"]["reduction"] == [0.25, 0.25, 0.25, 0.25]


def test_kinks(found):
    torch, jax, tensorflow = (f["kinks"] for f in found)
    assert torch == {"relu": 0, "maximum": 0.5, "clip": 1}
    assert jax == {"relu": 0, "maximum": 0.5, "clip": 0.5}
    assert tensorflow == {"relu": 0, "maximum": 1, "clip": 1}


def test_leaky_slope(found):
    torch, jax, tensorflow = (f["leaky-slope"] for f in found)
    assert near([torch["function"], torch["layer"], jax["function"]], -0.01)
    assert near(tensorflow["function"], -0.2)
    assert near(tensorflow["layer"], -0.3)


def test_deviation(found):
    torch, jax, tensorflow = (f["deviation"] for f in found)
    assert near(torch, math.sqrt(2))
    assert near([jax, tensorflow], 1)


def test_recurrent_layers(found):
    torch, _, keras = found
    assert torch["lstm-biases"] == {"arrays": 2, "rows": 4}
    assert keras["lstm-biases"] == {"arrays": 1, "initial": [0, 1, 0, 0]}
    assert torch["padded-outputs"] == {"after the end": "zeros"}
    assert keras["padded-outputs"] == {"after the end": "the last output"}


def test_masks_and_ids(found):
    torch, jax, tensorflow = found
    assert torch["rows-without-keys"] == {"softmax": "nan"}
    assert near(jax["rows-without-keys"]["attention"], 2)
    ids = [f["ids-out-of-range"] for f in (torch, jax, tensorflow)]
    assert ids == ["an error", "a row", "an error"]


def test_cross_entropy_clipping(found):
    torch, _, keras = found
    assert near(torch["cross-entropy-clipping"], 100)
    assert near(keras["cross-entropy-clipping"], -math.log(1e-7), 1e-3)


def test_optimizers(found):
    torch, _, keras = found
    assert near(torch["adam-epsilon"], -1e-3 / 1.1, 1e-3)
    assert 20 < torch["adam-epsilon"] / keras["adam-epsilon"] < 40
    assert near(torch["weight-decay"], 1 - 0.1 * 0.1 - 0.1 * (0.9 * 0.1 + 0.1 * 0.99))
    assert near(keras["weight-decay"], 0.99**2)
    assert near(torch["momentum"], -(1 + 0.1 * 1.9))
    assert near(keras["momentum"], -(1 + 0.9 + 0.1))
    assert near(torch["clipping"], [0.6, 0.8], 1e-5)
    assert near(keras["clipping"], [1, 1])


def test_arithmetic(found):
    torch, jax, tensorflow = found
    kinds = [f["float64-inputs"]["dtype"] for f in found]
    assert kinds == ["torch.float64", "float32", "float64"]
    assert [f["denormals"]["kept"] for f in (torch, jax, tensorflow)] == [True, False, False]


def test_initial_values(found):
    torch, jax, keras = found
    assert near(torch["initial-linear"], 1 / math.sqrt(3), 0.02)
    assert near([jax["initial-linear"], keras["initial-linear"]], 1, 0.02)
    assert near(torch["initial-embedding"], 1, 0.03)
    assert near(keras["initial-embedding"], 0.05 / math.sqrt(3), 0.03)
