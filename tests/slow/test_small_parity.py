"""The small tasks in every adapter and execution, with their own optimizer and with the
other one, through the real command line: about 20 minutes on two cores.
"""

from __future__ import annotations

import json

import pytest

from tests.fixtures.sample_parity import PROGRAMS

SMALL = ("cnn-small", "rnn-small", "gru-small", "transformer-small")


@pytest.fixture(scope="module")
def answers(tribench):
    asked = ("parity", "--task", "*-small,*-small-swapped", "--json", "--quiet")
    done = tribench(*asked, plugins=("swapped",), timeout=3600)
    document = json.loads(done.stdout)
    return {
        (r["task"], r["backend"], r["execution"], r["question"]): r
        for r in document["results"]
        if r["phase"] is None
    }


@pytest.mark.parametrize("question", ["function", "precision", "training"])
@pytest.mark.parametrize(("backend", "execution"), PROGRAMS)
@pytest.mark.parametrize("optimizer", ["own", "swapped"])
@pytest.mark.parametrize("task", SMALL)
def test_it_is_the_same(question, task, optimizer, backend, execution, answers):
    name = task if optimizer == "own" else f"{task}-swapped"
    answer = answers[name, backend, execution, question]
    assert answer["verdict"] == "same", answer
    assert answer["error"] <= answer["threshold"]
    if question == "function":
        assert answer["error"] <= 1e-9
        assert {"update", "trained", "input_gradients"} <= set(answer["errors"])
