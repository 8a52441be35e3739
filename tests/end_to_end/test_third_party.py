"""Adapters and tasks in packages of their own, found by entry point, with no change here."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.conftest import of_the_whole

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


KNOWN = "must be a tuple of any of "
BROKEN = {
    "frameless": "Frameless.framework (=None) must be the name of the package that computes",
    "nameless": "Nameless.name (=None) must be a string",
    "numbered": "Numbered.name (=7) must be a string",
    "undecided": f"Undecided.executions (=None) {KNOWN}eager, compiled",
    "worded": f"Worded.precisions (='float32') {KNOWN}float64, float32, tf32, bfloat16",
    "halved": f"Halved.precisions (=('float32', 'float16')) {KNOWN}float64, ",
    "lazy": f"Lazy.executions (=('eager', 'lazy')) {KNOWN}eager, compiled",
    "unbuilt": "Unbuilt has no build(task, parameters)",
    "uncast": "Uncast has bfloat16 among its precisions and no cast(array, precision)",
    "offering": "Offering.offered('cpu') (={'float32': True}) must give any of ",
    "refusing": "SystemExit: 3",
    "function": "function is no subclass of backends.base.Backend",
    "module": "tribench_hostile is no subclass of backends.base.Backend",
    "missing": "AttributeError: module 'tribench_hostile' has no attribute 'Missing'",
    "exiting": "SystemExit: no licence",
    "stopping": "Stop: two",
    "speechless": "Speechless: no message",
    "../outside (tribench_hostile:Talking)": "its name must begin with a letter, digit or _",
    "torch (tribench_hostile:Talking)": "its name is taken by backends.torch:Backend",
    "shared (tribench_second:Talking)": "its name is taken by tribench_hostile:Talking",
}


def test_what_is_broken_is_told_by_name_and_costs_nobody_else_anything(tribench):
    done = tribench(
        *("list", "--task", "rnn-tiny", "--backend", "[!d]*", "--json"), plugins=("hostile",)
    )
    assert done.returncode == 0, done.stderr
    backends = {row["backend"]: row for row in json.loads(done.stdout)["backends"]}
    for name in ("torch", "numpy", "talking", "shared"):
        assert backends[name]["available"], backends[name]
    assert {name for name, row in backends.items() if not row["available"]} == {
        *("jax", "tensorflow", *BROKEN)
    }
    for name, words in BROKEN.items():
        assert backends[name]["why"].startswith(words), backends[name]
        assert len(backends[name]["why"].splitlines()) == 1


def test_what_ends_its_process_is_told_and_costs_nobody_else_anything(tribench, checkout):
    asked = ("list", "--task", "rnn-tiny", "--backend", "numpy,talking,dying", "--json")
    done = tribench(*asked, plugins=("hostile",), root=checkout)
    assert done.returncode == 0, done.stderr
    why = {row["backend"]: row["why"] for row in json.loads(done.stdout)["backends"]}
    dead = "it could not be loaded: the worker ended with exit code 3 during survey"
    assert why == {"numpy": None, "talking": None, "dying": dead}


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
    answers = of_the_whole(done)
    assert {answer["question"] for answer in answers} == {"function", "precision", "training"}
    assert ("faulty", "transformer-tiny") in {(a["backend"], a["task"]) for a in answers}
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
        once=True,
    )
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    parity = {cell["backend"]: cell["parity"] for cell in summary["cells"]}
    assert parity == {"torch": "same", "faulty": "different", "careful": "same"}
    assert all(cell["samples_per_second"] > 0 for cell in summary["cells"])
    assert {c["verdict"] is None for c in summary["comparisons"]} == {True, False}
    for comparison in summary["comparisons"]:
        involved = {comparison["base"], comparison["new"]}
        assert (comparison["verdict"] is None) == ("faulty" in involved)


def test_their_tasks_are_run(tribench):
    done = tribench(
        *("run", "--task", "odd-tiny", "--backend", "torch", "--launches", "1", "--json"),
        plugins=PLUGINS,
        once=True,
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
    answers = {(r["backend"], r["question"]): r for r in of_the_whole(done)}
    for question in ("function", "precision", "training"):
        assert answers["ported", question]["verdict"] == "same", answers["ported", question]
        assert answers["misported", question]["verdict"] == "different"
    hidden = "not shown or not supported, so not looked at: the activations of lstm, last"
    assert answers["ported", "function"]["reason"] == hidden
    assert answers["misported", "function"]["location"]["path"] == "fc"
