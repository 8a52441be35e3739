"""``tribench list`` tells for every backend, task and execution whether it can run, and why not."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from suite.plan import catalogue
from suite.report.terminal.listing import show_listing

PLUGINS = ("faulty", "layered")
OURS = ("torch", "jax", "tensorflow")


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
    assert grid(done.stdout) == {("torch", "eager"): ["✓"], ("torch", "compiled"): ["1"]}
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
    tasks = [task for task in listed["tasks"] if not task["task"].endswith("-cifar10")]
    names = [task["task"] for task in tasks][:10]
    runs = [run for run in listed["runs"] if run["task"] in names]
    console = Console(width=100, file=StringIO())
    show_listing(listed | {"tasks": tasks, "runs": runs}, console)
    text = console.file.getvalue()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert "…" not in text
    rows = grid(text)
    assert len(rows) == 2 * len(listed["backends"])
    assert all(len(marks) == len(names) for marks in rows.values())
    ours = len([name for name in names if name in catalogue.tasks()])
    assert rows["torch", "compiled"][:ours] == ["✓"] * ours
    for (backend, execution), marks in rows.items():
        for name, mark in zip(names, marks, strict=True):
            run = next(
                r
                for r in runs
                if (r["backend"], r["execution"], r["task"]) == (backend, execution, name)
            )
            start = f" {mark} " if mark != "✓" else None
            assert (start is None) == run["can_run"]
            if start is not None:
                below = next(line for line in lines if line.startswith(start))
                assert run["why"].startswith(below[4:].strip())


def grid(text: str) -> dict[tuple[str, str], list[str]]:
    """The marks of each row of the last table."""
    rows = [line.split() for line in text.partition("Can run on")[2].splitlines()]
    return {
        (row[0], row[1]): row[2:]
        for row in rows
        if len(row) > 2 and row[1] in ("eager", "compiled")
    }


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
