"""CIFAR-10 through the real command line, on small files in its real format."""

from __future__ import annotations

import json
import pickle

import pytest

from tests.end_to_end.test_scripted_runs import SCRIPT, only_run
from tests.fixtures.cifar10_files import write_folder

RUN = ("run", "--task", "cnn-tiny-cifar10", "--launches", "1", "--output", "runs")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Small files in the folder that TRIBENCH_DATA names the parent of."""
    monkeypatch.setenv("TRIBENCH_DATA", str(tmp_path / "local"))
    return write_folder(tmp_path / "local")


def test_a_run_on_local_files(folder, tribench, tmp_path):
    done = tribench(
        *RUN, "--backend", "scripted", script=SCRIPT, plugins=("scripted",), folder=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = only_run(tmp_path)
    summary = json.loads((run / "summary.json").read_text())
    assert {(c["task"], c["status"]) for c in summary["cells"]} == {("cnn-tiny-cifar10", "ok")}
    assert {t["test_samples"] for t in summary["trainings"]} == {40}
    told = json.loads((run / "manifest.json").read_text())["tasks"]["cnn-tiny-cifar10"]
    assert told["data"] == "CIFAR-10 3x24x24"
    assert {t["data_hash"] for t in summary["trainings"]} == {told["data_hash"]}


def test_the_frameworks_agree_on_it(folder, tribench, tmp_path):
    """Parity trains ten steps in float64 on the files' images, which are float32."""
    done = tribench(
        *("parity", "--task", "cnn-tiny-cifar10", "--execution", "compiled"),
        *("--precision", "float64", "--json", "--quiet"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert {r["backend"]: r["verdict"] for r in results} == {
        "torch": "same",
        "jax": "same",
        "tensorflow": "same",
    }
    assert all(r["errors"]["trained"] <= 1e-9 for r in results)


def assert_is_one_line_and_nothing_was_done(done, words, folder):
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tribench: the data of cnn-tiny-cifar10 cannot be loaded: ")
    assert words in line
    assert done.stdout == ""
    assert not list((folder / "runs").glob("*"))


def test_a_broken_file_is_one_line(folder, tribench, tmp_path):
    (folder / "data_batch_4").write_bytes((folder / "data_batch_4").read_bytes()[:1000])
    done = tribench(*RUN, "--backend", "torch", folder=tmp_path)
    assert_is_one_line_and_nothing_was_done(done, f"{folder}/data_batch_4 is not a", tmp_path)


def test_a_malicious_file_is_one_line(folder, tribench, tmp_path):
    mark = tmp_path / "mark"
    (folder / "test_batch").write_bytes(b"cos\nmkdir\n(V" + bytes(mark) + b"\ntR.")
    done = tribench(*RUN, "--backend", "torch", folder=tmp_path)
    assert_is_one_line_and_nothing_was_done(done, f"{folder}/test_batch is not a", tmp_path)
    assert not mark.exists()
    pickle.loads((folder / "test_batch").read_bytes())
    assert mark.exists()  # it would have


def test_no_network_is_one_line(tribench, tmp_path, monkeypatch):
    monkeypatch.delenv("TRIBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    done = tribench(*RUN, "--backend", "torch", folder=tmp_path)
    address = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz cannot be downloaded"
    assert_is_one_line_and_nothing_was_done(done, address, tmp_path)
