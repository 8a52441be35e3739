"""A task with CTC through the real command line, on small packages in the real format."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.test_scripted_runs import only_run
from tests.fixtures.prompt_files import write

TASK = ("--task", "spoken-tiny")


@pytest.fixture
def told(monkeypatch, tmp_path):
    """The folder that TRIBENCH_DATA names."""
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path))
    return write(tmp_path)


def test_the_frameworks_agree_on_it(told, tribench, tmp_path):
    for asked in (("torch", "eager"), ("jax,tensorflow", "compiled")):
        done = tribench(
            *("parity", *TASK, "--backend", asked[0], "--execution", asked[1]),
            *("--precision", "float64", "--json", "--quiet"),
            plugins=("spoken",),
            folder=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads(done.stdout)["results"]
        verdicts = {(result["backend"], result["verdict"]) for result in results}
        assert verdicts == {(backend, "same") for backend in asked[0].split(",")}


def test_a_training_is_scored_by_its_error_rate(told, tribench, tmp_path):
    done = tribench(
        *("run", *TASK, "--backend", "torch", "--execution", "eager", "--phase", "train"),
        *("--launches", "1", "--output", "runs"),
        plugins=("spoken",),
        folder=tmp_path,
        once=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = only_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    (training,) = summary["trainings"]
    assert training["score"] == "error_rate"
    assert 0 < training["error_rate"] <= 2
    assert len(training["validation_error_rates"]) == 2
    (cell,) = summary["cells"]
    assert (cell["parity"], cell["error_rate"]) == ("same", training["error_rate"])
    nothing, _ = summary["lines"]
    assert (nothing["model"], nothing["error_rate"]) == ("no label", 1)
    assert "test error rate" in (run / "page.html").read_text(encoding="utf-8")
