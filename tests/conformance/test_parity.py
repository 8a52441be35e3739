"""The tiny tasks in every adapter, execution and precision, through the real command line."""

from __future__ import annotations

import json

import pytest

from suite import catalogue
from suite.parity.gate import PRECISIONS

TINY = [name for name in catalogue.tasks() if name.endswith("-tiny")]


@pytest.fixture(scope="module")
def answers(tribench):
    done = tribench("parity", "--task", "*-tiny", "--json", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "tribench/parity/1"
    return {
        (r["task"], r["backend"], r["execution"], r["precision"]): r for r in document["results"]
    }


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("backend", "execution"),
    [
        ("torch", "eager"),
        ("torch", "compiled"),
        ("jax", "compiled"),
        ("tensorflow", "eager"),
        ("tensorflow", "compiled"),
    ],
)
@pytest.mark.parametrize("task", TINY)
def test_it_is_the_same_function(task, backend, execution, precision, answers):
    answer = answers[task, backend, execution, precision]
    assert answer["verdict"] == "same", answer
    assert answer["error"] <= {"float64": 1e-9, "float32": 1e-5}[precision]
    parts = {"activations", "predictions", "loss", "gradients"}
    if precision == "float64":
        parts |= {"input_gradients", "update", "trained"}
    assert set(answer["errors"]) == parts
