"""A run that starts from weights of the user's, in real frameworks through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ARGUMENTS = (
    *("run", "--task", "rnn-tiny", "--backend", "torch,jax", "--phase", "infer"),
    *("--launches", "1", "--seeds", "1", "--epochs", "2"),
)


def run_in(folder: Path) -> Path:
    (found,) = (folder / "results" / "runs").iterdir()
    return found


@pytest.fixture(scope="module")
def first(tribench, tmp_path_factory):
    """A run with random weights: its folder, its trainings, and what PyTorch's ended with."""
    folder = tmp_path_factory.mktemp("first")
    done = tribench(*ARGUMENTS, "--json", folder=folder, once=True)
    assert done.returncode == 0, done.stderr
    (weights,) = (run_in(folder) / "checkpoints").glob("*torch*.npz")
    kept = folder / "mine.npz"
    shutil.copy(weights, kept)
    return run_in(folder), json.loads(done.stdout)["trainings"], kept


@pytest.fixture(scope="module")
def second(tribench, tmp_path_factory, first):
    """Another that starts from these."""
    folder = tmp_path_factory.mktemp("second")
    given = ("--weights", f"rnn-tiny={first[2]}")
    done = tribench(*ARGUMENTS, *given, "--json", folder=folder, once=True)
    assert done.returncode == 0, done.stderr
    return run_in(folder), json.loads(done.stdout)


def test_every_framework_begins_where_the_other_training_ended(first, second):
    ended = next(each for each in first[1] if each["backend"] == "torch")
    assert ended["weights_accuracy"] is None
    for training in second[1]["trainings"]:
        assert training["weights_accuracy"] == pytest.approx(ended["test_accuracy"], abs=1e-9)
        assert training["weights_loss"] == pytest.approx(ended["test_loss"], rel=1e-4)
        assert training["losses"][0] < ended["losses"][0]
    assert {each["backend"] for each in second[1]["trainings"]} == {"torch", "jax"}


def test_the_run_says_so_without_a_path(first, second):
    folder, summary = second
    manifest = json.loads((folder / "manifest.json").read_text())
    name = manifest["tasks"]["rnn-tiny"]["weights"]
    assert name.startswith("mine.npz ")
    assert "--weights rnn-tiny=mine.npz" in manifest["command"]
    assert str(first[2].parent) not in (folder / "manifest.json").read_text()
    (told,) = [note for note in summary["notes"] if "starts from the weights" in note]
    assert name in told
    assert "in torch float32 (loss" in told
    assert "in jax float32 (loss" in told
    assert name in (folder / "page.html").read_text()


def test_runs_with_other_weights_are_not_compared(tribench, first, second):
    done = tribench("compare", str(first[0]), str(second[0]))
    assert "a start from other weights" in done.stdout + done.stderr


def test_a_resumed_run_takes_the_same_weights_alone(tribench, second, tmp_path):
    folder = tmp_path / second[0].name
    shutil.copytree(second[0], folder)
    (folder / "SHA256SUMS").unlink(missing_ok=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    done = tribench("run", "--resume", str(folder))
    assert done.returncode == 2
    assert "its tasks have changed" in done.stderr
