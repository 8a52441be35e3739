"""Small twins of the models of published size: parity as users ask it, of all of them."""

from __future__ import annotations

import pytest

from tasks import real
from tests.conftest import of_the_whole

NAMES = [f"{task.name}-twin" for task in real.tasks()]
CHAOTIC = "inception-v3-twin"  # of batch norms over few values: in ten steps 1e-16 grows to 1
ASKED = ("parity", "--json", "--quiet", "--execution", "eager")


@pytest.fixture(scope="module")
def answers(tribench):
    done = tribench(*ASKED, "--task", "*-twin", "--backend", "torch")
    assert done.returncode == 0, done.stdout + done.stderr
    return {(r["task"], r["question"]): r for r in of_the_whole(done)}


@pytest.mark.parametrize("question", ["function", "precision", "training"])
@pytest.mark.parametrize("task", NAMES)
def test_it_is_the_same(task, question, answers):
    answer = answers[task, question]
    assert answer["verdict"] == "same", answer
    chaotic = (task, question) == (CHAOTIC, "function")
    assert ("its training is chaotic" in (answer["reason"] or "")) == chaotic


def test_a_wrong_update_is_found_in_a_chaotic_training_too(tribench):
    asked = (*ASKED, "--precision", "float64", "--task", CHAOTIC, "--backend", "undecayed")
    done = tribench(*asked, plugins=("planted",))
    assert done.returncode == 1, done.stderr
    answers = {r["question"]: r for r in of_the_whole(done)}
    assert answers["function"]["verdict"] == "different"
    assert answers["function"]["location"]["kind"] == "optimizer"
