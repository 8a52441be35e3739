"""``tribench list`` tells for every backend, task and execution whether it can run, and why not."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from rich.console import Console

from backends.base import EXECUTIONS
from suite.plan import catalogue
from suite.report.terminal.listing import show_listing

PLUGINS = ("faulty", "layered")
OURS = ("torch", "jax", "tensorflow")
MARK = re.compile(r"✓|\d+")


@pytest.fixture(scope="module")
def listed(tribench):
    done = tribench("list", "--json", plugins=PLUGINS)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def runs(listed):
    return {(r["backend"], r["task"], r["execution"]): r for r in listed["runs"]}


def test_every_combination_is_answered(listed, runs):
    backends = {backend["backend"] for backend in listed["backends"]}
    tasks = {task["task"] for task in listed["tasks"]}
    assert backends >= {"numpy", *OURS, "careful", "doubling", "crashing", "broken"}
    assert tasks >= {*catalogue.tasks(), "odd-tiny", "double", "hinge", "signs", "hidden"}
    every = {(b, t, e) for b in backends for t in tasks for e in ("eager", "compiled")}
    assert runs.keys() == every
    assert len(listed["runs"]) == len(every)
    for run in listed["runs"]:
        assert run["device"] == "cpu"
        assert run["can_run"] == (run["status"] == "ok") == (run["why"] is None), run
        assert run["status"] in ("ok", "not_supported", "not_available")


def test_ours_can_run_all_of_ours(runs):
    for backend in (*OURS, "careful"):
        for task in (*catalogue.tasks(), "odd-tiny"):
            assert runs[backend, task, "compiled"]["can_run"], (backend, task)
    assert runs["torch", "cnn-tiny", "eager"]["can_run"]
    assert runs["tensorflow", "cnn-tiny", "eager"]["can_run"]


@pytest.mark.parametrize(
    ("run", "status", "words"),
    [
        (("jax", "cnn-tiny", "eager"), "not_supported", "JAX has no eager execution"),
        (("numpy", "cnn-tiny", "compiled"), "not_supported", "numpy has no compiled execution"),
        (("torch", "double", "eager"), "not_supported", "torch has no lowering of Double"),
        (("doubling", "double", "compiled"), "ok", None),
        (("tensorflow", "hinge", "compiled"), "not_supported", "tensorflow has no loss Hinge"),
        (("jax", "signs", "compiled"), "not_supported", "jax has no optimizer Signs"),
        (("torch", "hidden", "eager"), "not_available", "No module named 'tribench_layered_here'"),
        (("broken", "cnn-tiny", "eager"), "not_available", "named 'tribench_faulty_missing'"),
        (("crashing", "cnn-tiny", "eager"), "not_available", "RuntimeError: no licence found"),
    ],
)
def test_why_not(run, status, words, runs):
    answer = runs[run]
    assert answer["status"] == status, answer
    assert answer["why"] is None if words is None else words in answer["why"]


def test_a_compiler_that_is_missing_is_told(tribench, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    done = tribench("list", "--backend", "torch", "--task", "rnn-tiny")
    assert done.returncode == 0, done.stderr
    assert grid(done.stdout) == {"rnn-tiny": ["✓", "1"]}
    assert "\n 1  torch.compile needs a C++ compiler, and none is on the path" in done.stdout


def test_a_device_that_is_missing_is_told(tribench):
    done = tribench("list", "--backend", "numpy", "--device", "cuda", "--json")
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)["runs"]
    assert {a["device"] for a in answers} == {"cuda"}
    eager = next(a for a in answers if a["execution"] == "eager")
    assert (eager["status"], eager["why"]) == (
        "not_supported",
        "numpy has no cuda device, only cpu",
    )


def test_the_grid_fits_100_columns(listed):
    console = Console(width=100, file=StringIO())
    show_listing(listed, console)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    rows = grid(text)
    names = [task["task"] for task in listed["tasks"]]
    assert {"cnn-tiny", "translation-small", "inception-v3"} <= {*names}
    assert [*rows] == names
    backends = [backend["backend"] for backend in listed["backends"]]
    assert all(len(marks) == len(backends) * len(EXECUTIONS) for marks in rows.values())
    places = [(backend, execution) for backend in backends for execution in EXECUTIONS]
    compiled = places.index(("torch", "compiled"))
    assert all(rows[name][compiled] == "✓" for name in catalogue.tasks())
    marked = {
        (*place, task): mark
        for task in names
        for place, mark in zip(places, rows[task], strict=True)
    }
    assert len(marked) == len(listed["runs"])
    for run in listed["runs"]:
        mark = marked[run["backend"], run["execution"], run["task"]]
        assert (mark == "✓") == run["can_run"]
        if mark != "✓":
            below = next(line for line in lines if line.startswith(f" {mark} "))
            assert run["why"].startswith(below[4:].strip())


def grid(text: str) -> dict[str, list[str]]:
    """The marks of each task, of all the tables that stand below each other."""
    found: dict[str, list[str]] = {}
    for line in text.partition("Can run on")[2].splitlines():
        task, *marks = line.split() or [""]
        if marks and all(map(MARK.fullmatch, marks)):
            found[task] = found.get(task, []) + marks
    return found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "tpu"], "no device 'tpu'; there are cpu, cuda"),
        (["--task", "cnn-huge"], "no task matches 'cnn-huge'; there are cnn-tiny"),
        (["--backend", "mxnet"], "no backend matches 'mxnet'; there are"),
    ],
)
def test_wrong_use(arguments, words, tribench):
    done = tribench("list", *arguments)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
