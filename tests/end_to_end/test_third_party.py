"""Adapters and tasks in packages of their own, found by entry point, with no change here."""

from __future__ import annotations

import json
from functools import partial

import pytest

PLUGINS = ("faulty",)


@pytest.fixture(scope="module")
def tribench(tribench, torch_checkout):
    return partial(tribench, root=torch_checkout)


def test_they_are_listed(tribench):
    done = tribench("list", "--json", plugins=PLUGINS)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert "odd-tiny" in {task["task"] for task in listed["tasks"]}
    backends = {backend["backend"]: backend for backend in listed["backends"]}
    assert backends["faulty"]["available"]
    assert backends["faulty"]["framework"] == "torch"
    assert not backends["broken"]["available"]
    assert "tribench_faulty_missing" in backends["broken"]["why"]
    assert backends["torch"]["available"]


@pytest.mark.parametrize(
    ("asked", "execution"),
    [
        (("--task", "transformer-tiny,rnn-tiny", "--backend", "faulty,careful"), "eager"),
        (("--task", "transformer-tiny", "--backend", "faulty"), "compiled"),
    ],
    ids=["eager", "compiled"],
)
def test_a_fault_is_found_and_located(asked, execution, tribench):
    done = tribench(
        *("parity", *asked, "--execution", execution, "--json", "--quiet"), plugins=PLUGINS
    )
    assert done.returncode == 1, done.stderr
    answers = json.loads(done.stdout)["results"]
    assert {answer["question"] for answer in answers} == {"function", "precision", "training"}
    for answer in answers:
        if answer["backend"] == "faulty" and answer["task"] == "transformer-tiny":
            assert answer["verdict"] == "different", answer
            if answer["question"] == "training":
                continue  # no layer is looked at
            location = answer["location"]
            assert (location["kind"], location["path"]) == ("layer", "blocks.0.norm1")
            named = answer["question"] == "function"
            assert location["field"] == ("epsilon" if named else None)
            assert ("epsilon 0.001 in place of 1e-05" in answer["reason"]) == named
        else:
            assert answer["verdict"] == "same", answer


@pytest.mark.parametrize("execution", ["eager", "compiled"])
def test_a_parameter_that_no_gradient_reaches_is_told_by_its_name(execution, tribench):
    done = tribench(
        *("parity", "--task", "rnn-tiny", "--backend", "severed", "--execution", execution),
        *("--precision", "float64", "--json", "--quiet"),
        plugins=PLUGINS,
    )
    assert done.returncode == 1, done.stderr
    (answer,) = json.loads(done.stdout)["results"]
    assert answer["verdict"] == "different", answer
    assert answer["location"]["path"] == "fc.weight"
    assert answer["location"]["guess"] == "gradient: no gradient reaching it"


def test_they_are_run_and_compared_but_a_different_function_gets_no_verdict(tribench):
    done = tribench(
        *("run", "--task", "transformer-tiny", "--backend", "torch,faulty,careful"),
        *("--launches", "1", "--seeds", "0", "--json", "--quiet"),
        plugins=PLUGINS,
    )
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    parity = {cell["backend"]: cell["parity"] for cell in summary["cells"]}
    assert parity == {"torch": "same", "faulty": "different", "careful": "same"}
    assert all(cell["samples_per_second"] > 0 for cell in summary["cells"])
    for comparison in summary["comparisons"]:
        involved = {comparison["base"], comparison["new"]}
        assert (comparison["verdict"] is None) == ("faulty" in involved)


def test_their_tasks_are_run(tribench):
    done = tribench(
        *("run", "--task", "odd-tiny", "--backend", "torch", "--launches", "1", "--json"),
        plugins=PLUGINS,
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {cell["task"] for cell in cells} == {"odd-tiny"}


def test_a_whole_module_of_ones_own_is_checked(tribench):
    done = tribench(
        *("parity", "--task", "rnn-tiny", "--backend", "ported,misported"),
        *("--execution", "eager", "--json", "--quiet"),
        plugins=("ported",),
    )
    assert done.returncode == 1, done.stderr
    answers = {(r["backend"], r["question"]): r for r in json.loads(done.stdout)["results"]}
    for question in ("function", "precision", "training"):
        assert answers["ported", question]["verdict"] == "same", answers["ported", question]
        assert answers["misported", question]["verdict"] == "different"
    hidden = "not shown or not supported, so not looked at: the activations of lstm, last"
    assert answers["ported", "function"]["reason"] == hidden
    assert answers["misported", "function"]["location"]["path"] == "fc"
