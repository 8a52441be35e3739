"""The three frameworks through the real command line, each in its own environment."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

FRAMEWORKS = ("torch", "jax", "tensorflow")
MEASURED = ("ok", "not_stationary", "disturbed")  # by the tests beside this one


def run_in(folder: Path) -> Path:
    (found,) = (folder / "results" / "runs").iterdir()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("first")


@pytest.fixture(scope="module")
def summary(tribench, folder):
    arguments = ("run", "--task", "rnn-tiny", "--launches", "2", "--json")
    done = tribench(*arguments, folder=folder, once=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def weights(summary, folder):
    """What PyTorch's training ended with."""
    (ended,) = (run_in(folder) / "checkpoints").glob("*torch*.npz")
    return shutil.copy(ended, folder / "mine.npz")


@pytest.fixture(scope="module")
def second(tribench, tmp_path_factory, weights):
    """A run of JAX that starts from that, beside an adapter that is not there."""
    folder = tmp_path_factory.mktemp("second")
    done = tribench(
        *("run", "--task", "rnn-tiny", "--backend", "jax,broken", "--launches", "1", "--json"),
        *("--weights", f"rnn-tiny={weights}"),
        plugins=("faulty",),
        folder=folder,
        once=True,
    )
    assert done.returncode == 0, done.stderr
    return run_in(folder), json.loads(done.stdout)


def test_every_cell_is_measured(summary):
    cells = {(c["backend"], c["phase"]): c for c in summary["cells"]}
    assert set(cells) == {(f, p) for f in FRAMEWORKS for p in ("train", "infer")}
    for key, cell in cells.items():
        assert cell["status"] in MEASURED, cell
        assert cell["parity"] == "same", key
        assert cell["blocks"] >= 12
        interval = cell["step_seconds"]
        assert 0 < interval["low"] <= interval["value"] <= interval["high"]
        assert cell["compile_seconds"] > 0
        assert cell["memory"]["process"] > 0
    assert len(summary["comparisons"]) == 6


def test_the_three_frameworks_learn_the_same(summary):
    trainings = summary["trainings"]
    assert len(trainings) == 3
    assert len({t["data_hash"] for t in trainings}) == 1
    assert {t["test_samples"] for t in trainings} == {114}
    assert (
        max(t["test_correct"] for t in trainings) - min(t["test_correct"] for t in trainings) <= 1
    )
    assert all(t["losses"][-1] < t["losses"][0] for t in trainings)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_worker_needs_its_framework_and_numpy_only(name, real_installations):
    """The environments hold nothing of the coordinator's; the workers above ran in them."""
    # Not cpuinfo: pytest-benchmark, which microbench installs there, brings it.
    absent = ("pydantic", "typer", "sklearn", "pandas", "plotly", "psutil")
    code = f"from importlib.util import find_spec; print([n for n in {absent!r} if find_spec(n)])"
    done = subprocess.run(
        [real_installations[name].interpreter, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_what_is_not_there_is_a_visible_cell_and_the_others_go_on(second):
    cells = second[1]["cells"]
    status = {cell["backend"]: cell["status"] for cell in cells}
    assert status.pop("jax") in MEASURED
    assert status == {"broken": "not_available"}
    why = next(cell["reason"] for cell in cells if cell["backend"] == "broken")
    assert "No module named 'tribench_faulty_missing'" in why


def test_a_training_begins_where_another_framework_ended(summary, second):
    ended = next(each for each in summary["trainings"] if each["backend"] == "torch")
    assert ended["weights_accuracy"] is None
    (training,) = second[1]["trainings"]
    assert training["backend"] == "jax"
    assert training["weights_accuracy"] == pytest.approx(ended["test_accuracy"], abs=1e-9)
    assert training["weights_loss"] == pytest.approx(ended["test_loss"], rel=1e-4)
    assert training["losses"][0] < ended["losses"][0]


def test_a_run_names_its_weights_without_their_path(second, weights):
    folder, summary = second
    manifest = (folder / "manifest.json").read_text()
    name = json.loads(manifest)["tasks"]["rnn-tiny"]["weights"]
    assert name.startswith("mine.npz ")
    assert "--weights rnn-tiny=mine.npz" in json.loads(manifest)["command"]
    assert str(weights.parent) not in manifest
    (told,) = [note for note in summary["notes"] if "starts from the weights" in note]
    assert name in told
    assert "in jax float32 (loss" in told
    assert name in (folder / "page.html").read_text()


def test_runs_with_other_weights_are_not_compared(tribench, folder, second):
    done = tribench("compare", str(run_in(folder)), str(second[0]))
    assert "a start from other weights" in done.stdout + done.stderr


def test_a_resumed_run_takes_the_same_weights_alone(tribench, second, tmp_path):
    folder = tmp_path / second[0].name
    shutil.copytree(second[0], folder)
    (folder / "SHA256SUMS").unlink()
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"complete": False}))
    done = tribench("run", "--resume", str(folder), plugins=("faulty",))
    assert done.returncode == 2
    assert "its tasks have changed" in done.stderr


def test_jax_has_no_eager_execution_and_says_so(tribench):
    done = tribench(
        *("run", "--task", "rnn-tiny", "--backend", "jax", "--execution", "eager", "--json")
    )
    assert done.returncode == 0, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert {cell["status"] for cell in cells} == {"not_supported"}
    assert all("eager" in cell["reason"] for cell in cells)


def test_eager_pytorch_does_without_its_compiler(real_installations):
    # The compiler's import takes 2.6 s, which every eager worker would pay.
    code = """
import sys
import numpy as np
from suite.worker.adapters import load
from tasks import rnn
from tasks.base import Batch
from tasks.parameters import initial
task = rnn.tiny()
program = load("torch")(execution="eager").build(task, initial(task.model, 0))
shape = (4, *task.model.input.shape)
batch = program.put(Batch(inputs=np.ones(shape, np.float32), targets=np.zeros(4, int)))
program.train_step(batch)
program.predict(batch)
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""
    python = real_installations["torch"].interpreter
    done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr
