"""What is done with runs that are there: compare, export, publish, through the command line."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest

RUN = ("run", "--backend", "scripted,rival", "--task", "rnn-tiny", "--output", "runs", "--json")
SCRIPT = {"scripted": {"step_seconds": 0.02}, "rival": {"step_seconds": 0.04}}
SLOWER = SCRIPT | {"rival": {"step_seconds": 0.08}}
WRONG = SCRIPT | {"rival": {"step_seconds": 0.02, "not_finite": "capture"}}
SHORT = ("--phase", "infer", "--launches", "1", "--seeds", "0")


@pytest.fixture(scope="module")
def tribench(tribench, checkout):
    return partial(tribench, root=checkout)


@pytest.fixture(scope="module")
def folder(tribench, tmp_path_factory):
    """A folder with four runs: before, the same again, one in which rival is slower, and one in
    which it is faster at something else, and nothing was trained.
    """
    where = tmp_path_factory.mktemp("results")
    names = {}
    for name, script, more in (
        ("before", SCRIPT, ()),
        ("again", SCRIPT, ()),
        ("after", SLOWER, ()),
        ("wrong", WRONG, SHORT),
    ):
        done = tribench(*RUN, *more, script=script, plugins=("scripted",), folder=where)
        assert done.returncode == (name == "wrong"), done.stderr
        names[name] = json.loads(done.stdout)["id"]
    for name, run_id in names.items():
        (where / name).symlink_to(where / "runs" / run_id)
    return where


def test_the_same_again_has_not_changed(tribench, folder):
    done = tribench("compare", "before", "again", "--json", "--fail-on-regression", folder=folder)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "tribench/compare/1"
    assert found["comparable"]
    assert len(found["changes"]) == 4
    assert {change["verdict"] for change in found["changes"]} <= {"EQUIVALENT", "INCONCLUSIVE"}


def test_what_became_slower_is_told_and_fails_where_that_was_asked_for(tribench, folder):
    done = tribench("compare", "before", "after", "--page", "page.html", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "2 slower, 0 faster, of 4 cells" in done.stdout
    assert "2.00 (" in (folder / "page.html").read_text()
    done = tribench("compare", "before", "after", "--fail-on-regression", folder=folder)
    assert done.returncode == 1
    done = tribench("compare", "after", "before", "--fail-on-regression", folder=folder)
    assert done.returncode == 0
    assert "0 slower, 2 faster" in done.stdout


def test_a_gate_stops_at_what_it_cannot_judge(tribench, folder):
    done = tribench("compare", "before", "wrong", "--json", "--fail-on-regression", folder=folder)
    assert done.returncode == 1
    rival = next(c for c in json.loads(done.stdout)["changes"] if c["backend"] == "rival")
    assert rival["ratio"] < 0.6
    assert (rival["verdict"], rival["reason"]) == (None, "parity different in NEW")
    size = rival["batch_size"]
    assert set(done.stderr.splitlines()) == {
        f"tribench: rnn-tiny infer ×{size} rival eager float32: parity different in NEW",
        f"tribench: rnn-tiny train ×{size} rival eager float32: only in BASE",
        f"tribench: rnn-tiny train ×{size} scripted eager float32: only in BASE",
    }


@pytest.mark.parametrize("kind", ["pytest-benchmark", "github-action-benchmark", "bencher"])
def test_exports_are_json(tribench, folder, kind):
    shown = tribench("export", "before", "--format", kind, folder=folder)
    assert shown.returncode == 0, shown.stderr
    written = tribench("export", "before", "--format", kind, "--output", "x.json", folder=folder)
    assert written.returncode == 0, written.stderr
    assert json.loads((folder / "x.json").read_text()) == json.loads(shown.stdout)


def test_a_published_run_is_what_the_site_is_made_from(tribench, folder):
    run = Path("runs", (folder / "before").resolve().name)
    done = tribench("publish", str(run), "--output", "published", folder=folder)
    assert done.returncode == 0, done.stderr
    place = folder / "published" / run.name
    assert not (place / "page.html").exists()
    assert not (place / "logs").exists()
    done = tribench("report", str(place), "--site", "site", folder=folder)
    assert done.returncode == 0, done.stderr
    page = folder / "site" / run.name / "index.html"
    assert page.stat().st_size < 1_000_000
    assert len(list((folder / "site").glob("plotly-*.js"))) == 1


def test_a_damaged_run_is_not_published(tribench, folder):
    path = (folder / "again").resolve()
    (path / "records.jsonl").write_bytes((path / "records.jsonl").read_bytes()[:-40])
    done = tribench("publish", str(path), "--output", "published", folder=folder)
    assert done.returncode == 2
    assert "is not published" in done.stderr
    assert not (folder / "published" / path.name).exists()
    done = tribench("compare", "before", "again", "--fail-on-regression", folder=folder)
    assert done.returncode == 1
    assert "again is not sound: records.jsonl: " in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "before", "nothing"), "is no run"),
        (("export", "before", "--format", "excel"), "no format 'excel'; there are"),
        (("export", "nothing", "--format", "bencher"), "is no run"),
        (("export", "before", "--format", "bencher", "--output", "."), "it is a folder"),
        (("compare", "before", "after", "--page", "."), "it is a folder"),
        (("compare", "before", "after", "--page", "pipe"), "it is no regular file"),
        (("export", "before", "--format", "bencher", "--output", "pipe"), "no regular file"),
        (("publish", "nothing"), "is no run"),
        (("report", "nothing", "--site", "elsewhere"), "is no run"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing(tribench, folder, words, said):
    pipe = folder / "pipe"  # stands for a device, which only root can make
    if not pipe.exists():
        os.mkfifo(pipe)
    before = sorted(folder.iterdir())
    done = tribench(*words, folder=folder)
    assert pipe.is_fifo()
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(folder.iterdir()) == before
