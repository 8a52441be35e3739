"""What needs a GPU, as far as it goes without one: devices that are not there are told, and the
switches of precision are where they should be in the frameworks themselves.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import ROOT

MISSING = {  # what they say here; where there is a GPU these tests tell nothing
    "torch": "this PyTorch finds no CUDA device",
    "jax": "this JAX finds no cuda device",
    "tensorflow": "this TensorFlow finds no GPU",
}
SWITCHED = """
from suite.worker.adapters import load
from tasks import rnn
from tasks.parameters import initial
kind, task = load({name!r}), rnn.tiny()
kind.offered = classmethod(lambda cls, device: cls.precisions)  # as with a GPU
for precision in ("tf32", "float32", "tf32", "bfloat16", "float64"):
    program = kind(precision=precision).build(task, initial(task.model, 0))
    print(precision, program.facts()["tf32"])
"""


@pytest.fixture(scope="module")
def listed(tribench):
    asked = ("--backend", ",".join(MISSING), "--device", "cuda", "--task", "rnn-tiny", "--json")
    done = tribench("list", *asked)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["runs"]


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_device_is_told(name, listed):
    runs = [run for run in listed if run["backend"] == name]
    assert {run["device"] for run in runs} == {"cuda"}
    assert {run["status"] for run in runs} == {"not_supported"}
    assert MISSING[name] in {run["why"] for run in runs}


def test_a_run_on_a_missing_device_costs_its_cells_alone(tribench):
    given = ("--task", "rnn-tiny", "--device", "cuda", "--phase", "infer", "--seeds", "0")
    given += ("--launches", "1", "--json")
    done = tribench("run", *given, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {cell["backend"] for cell in cells} == MISSING.keys()
    for cell in cells:
        assert cell["status"] == "not_supported"
        assert MISSING[cell["backend"]] in cell["reason"]


def test_the_self_tests_hold_without_the_device_and_say_that_it_is_missing(tribench):
    done = tribench("doctor", "--device", "cuda", "--launches", "2", "--json", timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    tests = {answer["name"]: answer for answer in told["self_tests"]}
    assert tests["A/A"]["verdict"] == "warning"
    assert MISSING["torch"] in tests["A/A"]["finding"]
    assert {a["verdict"] for name, a in tests.items() if name != "A/A"} == {"pass"}
    found = {a["name"].removeprefix("framework "): a["finding"] for a in told["frameworks"]}
    assert all(MISSING[name] in found[name] for name in MISSING)


def test_processors_have_no_tf32(tribench):
    done = tribench("parity", "--task", "rnn-tiny", "--precision", "tf32", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["backend"] for result in results} == MISSING.keys()
    for result in results:
        assert result["verdict"] == "not_supported"
        assert "has no precision tf32 here" in result["reason"]


@pytest.mark.parametrize("name", MISSING)
def test_tf32_is_on_where_it_is_asked_for_and_nowhere_else(name, real_installations):
    """Read back from the framework, in one process, one after the other."""
    done = subprocess.run(
        [real_installations[name].interpreter, "-c", SWITCHED.format(name=name)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = dict(line.split() for line in done.stdout.splitlines())
    assert told == {"tf32": "on", "float32": "off", "bfloat16": "off", "float64": "off"}


KEPT = """
import torch
from backends.torch.backend import _kept
weight = torch.ones(3, requires_grad=True)
loss, buffers = (2 * weight).sum(), {"mean": torch.zeros(2)}
kept, own = _kept((loss, buffers))
buffers["mean"].add_(1.0)  # as the next call of a CUDA graph would
print(float(own["mean"].sum()), torch.autograd.grad(kept, [weight])[0].tolist())
"""


def test_what_a_cuda_graph_gives_is_copied_and_still_differentiated(real_installations):
    python = real_installations["torch"].interpreter
    done = subprocess.run([python, "-c", KEPT], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "0.0 [2.0, 2.0, 2.0]", done.stderr


FUSED = """
import jax, jax.numpy as jnp, numpy as np
from jax.experimental import rnn
from backends.base import Context
from backends.jax import Backend
from tasks import spec

def by_hand(x, h, c, weights, lengths, *sizes):  # JAX's own statement of what cuDNN computes
    parts = rnn.unpack_lstm_weights(weights, *sizes[:3], sizes[4])
    return rnn.lstm_ref(x, h, c, *parts, lengths, *sizes)

rnn.lstm = by_hand
backend, layer = Backend(), spec.LSTM(input_size=5, hidden_size=4, num_layers=2)
draw = np.random.default_rng(0)
own = {name: jnp.asarray(draw.normal(size=p.shape), jnp.float32)
       for name, p in layer.parameters().items()}
x = jnp.asarray(draw.normal(size=(6, 7, 5)), jnp.float32)
for valid in (None, jnp.asarray(draw.random((6, 7)) > 0.4)):
    found = []
    for backend.device in ("cpu", "cuda"):
        context = Context(path="", training=True, valid=valid, buffers={})
        found.append(backend.compute(layer, own, x, context))
    print(bool(jnp.abs(found[0] - found[1]).max() < 1e-6), bool(jnp.abs(found[0]).max() > 0.1))
"""


def test_cudnns_lstm_in_jax_is_given_what_the_scan_computes(real_installations):
    python = real_installations["jax"].interpreter
    done = subprocess.run([python, "-c", FUSED], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["True True", "True True"], done.stderr
