"""Faults that are planted in third-party adapters are found, located and named; arithmetic that is
only different is not called a fault. Through the real command line.
"""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.conftest import of_the_whole

PLUGINS = ("planted",)
IMAGES, WORDS, ROWS = "planted-images", "planted-words", "planted-rows"
GRAPH, NEXT, TWO = "planted-graph", "planted-next", "planted-two"
MEAN, VARIANCE = "norm.running_mean", "norm.running_var"

# By fault: the task that it is looked for in; kind, path and field of its place; and what the
# reason says, of the mistake or of where it shows.
FORWARD = {
    "norm-epsilon": (WORDS, "layer", "norm", "epsilon", "epsilon 0.001 in place of 1e-05"),
    "norm-unbiased": (WORDS, "layer", "norm", None, "the unbiased variance"),
    "norm-outside": (WORDS, "layer", "norm", None, ""),
    "norm-unshifted": (WORDS, "layer", "norm", None, "bias left out"),
    "tanh": (WORDS, "layer", "gelu", "approximate", "approximate True in place of False"),
    "unscaled": (WORDS, "layer", "attention", None, "not divided by the root of a head's width"),
    "uncausal": (ROWS, "layer", "attention", "causal", "causal False in place of True"),
    "unmasked": (WORDS, "layer", "attention", None, "padding taken for steps"),
    "empty-nan": (WORDS, "layer", "attention", None, "off by more than can be told"),
    "mask-twenty": (WORDS, "layer", "attention", None, "only with padding"),
    "gate-order": (WORDS, "layer", "lstm", None, "gates in the order i, f, o, g"),
    "forget-bias": (WORDS, "layer", "lstm", None, "1 added to the forget gate's bias"),
    "lstm-unpadded": (WORDS, "layer", "lstm", None, "padding taken for steps"),
    "gru-bias": (ROWS, "layer", "gru", None, "bias_hh left out"),
    "halves": (WORDS, "layer", "position", None, "in two halves"),
    "from-one": (WORDS, "layer", "position", None, "counted from 1"),
    "root-width": (WORDS, "layer", "embedding", None, "root of the width"),
    "last-padded": (ROWS, "layer", "last", None, "padding taken for steps"),
    "mean-padded": (WORDS, "layer", "mean", None, "padding taken for steps"),
    "flipped": (IMAGES, "layer", "conv", None, "the kernel flipped"),
    "same": (IMAGES, "layer", "halve", "padding", "as SAME with stride 2"),
    "leaky": (IMAGES, "layer", "relu", None, ""),
    "unbiased": (IMAGES, "layer", "fc", None, "bias left out"),
    "batch-epsilon": (IMAGES, "layer", "norm", "epsilon", "epsilon 0.001 in place of 1e-05"),
    "backwards": (GRAPH, "layer", "cat", None, "the values in the opposite order"),
    "rotary-halves": (TWO, "layer", "cross", None, "turned in halves in place of pairs"),
    "memory-unmasked": (TWO, "layer", "cross", None, "padding taken for steps"),
    "padding-counted": (TWO, "layer", "place", None, "all steps counted in place of valid ones"),
    "directions-swapped": (TWO, "layer", "both", None, "the two directions' parameters swapped"),
    "table-unscaled": (TWO, "layer", "word", "scale", "scale 1.0 in place of 3.0"),
    "left-out": (GRAPH, "layer", "add", None, "value 1 left out"),
}
GRADIENT = {
    "kink": (IMAGES, "layer", "relu", None, "gradient is not"),
    "sharing": (IMAGES, "layer", "pool", None, "gradient is not"),
    "mean-detached": (WORDS, "layer", "norm", None, "gradient is not"),
    "bias-averaged": (IMAGES, "parameter", "conv.bias", None, "gradient is not"),
    "keys-frozen": (ROWS, "parameter", "attention.key.weight", None, "gradient is not"),
    "bias-once": (WORDS, "parameter", "lstm.bias_hh_l1", None, "gradient is not"),
    "last-token": (WORDS, "parameter", "embedding.weight", None, "gradient is not"),
    "add-detached": (GRAPH, "layer", "add", None, "gradient is not"),
    "head-detached": (GRAPH, "parameter", "head.weight", None, "gradient is not"),
    "straight-through": (WORDS, "layer", "gelu", None, "gradient is not"),
}
STATISTICS = {
    "momentum": (IMAGES, "buffer", MEAN, "momentum", "momentum as the weight of the old value"),
    "biased": (IMAGES, "buffer", VARIANCE, None, "the biased variance"),
    "frozen": (IMAGES, "buffer", MEAN, None, "never updated"),
    "deviation": (IMAGES, "buffer", VARIANCE, None, "the deviation in place of the variance"),
    "batch-always": (IMAGES, "layer", "norm", None, "statistics in evaluation too"),
}
LOSS = {
    "loss-sum": (ROWS, "loss", "loss", None, "the sum over the batch"),
    "loss-smoothed": (ROWS, "loss", "loss", None, "label smoothing of 0.1"),
    "loss-among-others": (GRAPH, "loss", "loss", None, "among the other classes alone"),
    "loss-clipped": (ROWS, "loss", "loss", None, "clipped at 1e-7"),
    "loss-bits": (ROWS, "loss", "loss", None, "base 2"),
    "loss-over-all": (
        NEXT,
        "loss",
        "loss",
        None,
        "the mean over all targets in place of those that count",
    ),
    "loss-of-last": (NEXT, "loss", "loss", None, "targets below 0 taken for the last class"),
    "loss-gradient": (ROWS, "loss", "loss", None, "gradient is not"),
}
PLACE = "place.weight"  # the first parameter of the task
OPTIMIZER = {
    "adam-epsilon": (ROWS, "optimizer", PLACE, "epsilon", "epsilon 1e-07 in place of 1e-08"),
    "adam-beta": (ROWS, "optimizer", PLACE, "beta2", "beta2 0.98 in place of 0.999"),
    "undecayed": (ROWS, "optimizer", PLACE, "weight_decay", "weight_decay ignored"),
    "unclipped": (ROWS, "optimizer", "optimizer", "clip_norm", "clip_norm ignored"),
    "cold": (ROWS, "optimizer", "optimizer", "warmup_steps", "warmup_steps ignored"),
    "unstepped": (ROWS, "optimizer", "optimizer", "milestones", "milestones ignored"),
    "unscheduled": (GRAPH, "optimizer", "embedding.weight", "schedule", "schedule ignored"),
    "plain": (IMAGES, "optimizer", "optimizer", "nesterov", "nesterov left out"),
    "adam-coupled": (ROWS, "optimizer", PLACE, "weight_decay", "as an L2 term"),
    "adam-uncorrected": (ROWS, "optimizer", PLACE, "beta1", "no bias correction"),
    "clip-each": (ROWS, "optimizer", "optimizer", "clip_norm", "every array clipped"),
    "warm-from-zero": (ROWS, "optimizer", "optimizer", "warmup_steps", "counted from 0"),
    "sgd-decoupled": (IMAGES, "optimizer", "optimizer", "weight_decay", "decoupled"),
    "matrices-only": (
        ROWS,
        "optimizer",
        "attention.query.bias",
        "weight_decay",
        "of matrices only",
    ),
}
FAULTS = FORWARD | GRADIENT | STATISTICS | LOSS | OPTIMIZER
FAULTLESS = {"one-pass": WORDS, "reordered": WORDS, "queries-scaled": WORDS, "folded": ROWS}
FAULTLESS |= {"added-backwards": GRAPH}
LESS = {"rounded": WORDS}
PARTLY = {"maskless": WORDS}
TOLD = {"narrow-correction": ROWS}  # which correct programs do, too
# Of float32: the task, the question, and what the reason says.
NARROW = {
    "tensor-float": (IMAGES, "precision", "layer conv", "operands in TF32 or float16"),
    "brain": (ROWS, "precision", "layer fc", "operands in bfloat16"),
    "brain-joined": (GRAPH, "precision", "layer cat", "operands in bfloat16"),
    "brain-backward": (WORDS, "precision", "parameter fc.weight", "digits kept"),
    "narrow-moments": (WORDS, "training", "after step", "as far from the float64 training"),
}


@pytest.fixture(scope="module")
def answers(tribench, checkout):
    """By backend and task."""
    ask = partial(tribench, "parity", "--precision", "float64", "--json", "--quiet", root=checkout)
    found = {}
    asked = {name: expected[0] for name, expected in FAULTS.items()} | FAULTLESS | LESS | PARTLY
    for task in (IMAGES, WORDS, ROWS, GRAPH, NEXT, TWO):
        names = ",".join(name for name, own in asked.items() if own == task)
        done = ask("--task", task, "--backend", names, plugins=PLUGINS)
        assert done.returncode == 1, done.stdout + done.stderr
        found |= {r["backend"]: r for r in json.loads(done.stdout)["results"]}
    return found


@pytest.fixture(scope="module")
def in_float32(tribench, checkout):
    """By backend and question."""
    asked = {name: expected[0] for name, expected in NARROW.items()} | FAULTLESS | TOLD
    ask = partial(tribench, "parity", "--precision", "float32", "--json", "--quiet", root=checkout)
    found = {}
    for task in (IMAGES, WORDS, ROWS, GRAPH):
        names = ",".join(name for name, own in asked.items() if own == task)
        done = ask("--task", task, "--backend", names, plugins=PLUGINS)
        assert done.returncode == 1, done.stdout + done.stderr
        found |= {(r["backend"], r["question"]): r for r in of_the_whole(done)}
    return found


@pytest.fixture(scope="module")
def in_bfloat16(tribench, checkout):
    """Of transformer-tiny, where narrow sums have 2048 terms; of few terms they show little."""
    names = ",".join(("narrow-sums", *(name for name, task in FAULTLESS.items() if task == WORDS)))
    ask = ("parity", "--precision", "bfloat16", "--json", "--quiet", "--task", "transformer-tiny")
    done = tribench(*ask, "--backend", names, root=checkout, plugins=PLUGINS)
    assert done.returncode == 1, done.stdout + done.stderr
    found = of_the_whole(done)
    assert {result["question"] for result in found} == {"precision"}
    return {result["backend"]: result for result in found}


@pytest.fixture(scope="module")
def in_tf32(tribench, checkout):
    """The reference's own arithmetic of it, which needs no GPU."""
    names = ",".join(("unswitched", *(name for name, task in FAULTLESS.items() if task == WORDS)))
    ask = ("parity", "--precision", "tf32", "--json", "--quiet", "--task", "transformer-tiny")
    done = tribench(*ask, "--backend", names, root=checkout, plugins=PLUGINS)
    assert done.returncode == 0, done.stdout + done.stderr
    return {result["backend"]: result for result in of_the_whole(done)}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_located_and_named(name, answers):
    _, kind, path, field, words = FAULTS[name]
    answer = answers[name]
    assert answer["verdict"] == "different", answer
    location = answer["location"]
    assert (location["kind"], location["path"], location["field"]) == (kind, path, field), answer
    assert words in answer["reason"], answer
    assert answer["error"] is None or answer["error"] > answer["threshold"]
    assert not (location["guess"] or "").startswith("unrepeatable")


@pytest.mark.parametrize("name", FAULTLESS)
def test_other_arithmetic_is_the_same_function(name, answers):
    assert answers[name]["verdict"] == "same", answers[name]
    assert answers[name]["location"] is None


@pytest.mark.parametrize("name", LESS)
def test_float32_in_a_float64_program_is_a_loss_of_precision(name, answers):
    assert answers[name]["verdict"] == "precision_loss", answers[name]
    assert answers[name]["location"]["path"] == "gelu"


@pytest.mark.parametrize("name", NARROW)
def test_less_precision_than_declared_is_told_with_its_cause(name, in_float32):
    _, question, *words = NARROW[name]
    answer = in_float32[name, question]
    verdict = {"precision": "precision_loss", "training": "different"}[question]
    assert answer["verdict"] == verdict, answer
    assert all(word in answer["reason"] for word in words), answer
    assert answer["error"] > answer["threshold"]


@pytest.mark.parametrize("name", TOLD)
def test_what_correct_programs_keep_less_of_is_told_and_not_judged(name, in_float32):
    answer = in_float32[name, "precision"]
    assert answer["verdict"] == "same", answer
    assert "bias correction computed in float32" in answer["reason"]
    assert answer["errors"]["drills"] > answer["threshold"] >= answer["error"]
    assert in_float32[name, "training"]["verdict"] == "same"


@pytest.mark.parametrize("question", ["precision", "training"])
@pytest.mark.parametrize("name", FAULTLESS)
def test_other_arithmetic_has_the_same_precision_and_training(name, question, in_float32):
    answer = in_float32[name, question]
    assert answer["verdict"] == "same", answer
    if question == "precision":
        assert answer["digits"]
        assert all(4 < digits <= 7.23 for digits in answer["digits"].values()), answer["digits"]


def test_sums_in_bfloat16_are_a_loss_of_precision(in_bfloat16):
    answer = in_bfloat16["narrow-sums"]
    assert answer["verdict"] == "precision_loss", answer
    assert "times the error of correct bfloat16 arithmetic" in answer["reason"]
    assert answer["location"]["path"].endswith("bias")


@pytest.mark.parametrize("name", [name for name, task in FAULTLESS.items() if task == WORDS])
def test_other_arithmetic_is_the_same_bfloat16(name, in_bfloat16):
    answer = in_bfloat16[name]
    assert answer["verdict"] == "same", answer
    assert answer["digits"]
    assert all(1 < digits <= 2.71 for digits in answer["digits"].values()), answer["digits"]


def test_a_switch_that_did_nothing_is_told(in_tf32):
    answer = in_tf32["unswitched"]
    assert answer["verdict"] == "same"
    assert answer["reason"].startswith("more is kept than tf32 does")
    assert max(error for part, error in answer["errors"].items() if part != "drills") < 0.01


@pytest.mark.parametrize("name", [name for name, task in FAULTLESS.items() if task == WORDS])
def test_other_arithmetic_is_the_same_tf32(name, in_tf32):
    answer = in_tf32[name]
    assert (answer["verdict"], answer["reason"]) == ("same", None), answer
    assert answer["digits"]
    assert all(2 < digits <= 3.32 for digits in answer["digits"].values()), answer["digits"]


def test_what_was_not_looked_at_is_told(answers):
    answer = answers["maskless"]
    assert answer["verdict"] == "same", answer
    gaps = "lstm with padding, SGD with nesterov"
    assert answer["reason"] == f"not shown or not supported, so not looked at: {gaps}"


def test_every_kind_of_fault_is_planted():
    for kind in (FORWARD, GRADIENT, STATISTICS, LOSS, OPTIMIZER):
        assert len(kind) >= 4
    assert len(FAULTS) >= 30
