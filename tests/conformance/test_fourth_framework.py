"""A fourth framework is a folder and a line: MLX, which no file of tribench's names, in a package
of its own (tests/plugins/mlx), and as a folder of a checkout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PLUGINS, ROOT

PYTHON = ROOT / ".nox" / "mlx" / "bin" / "python"
THERE = f"--python=mlx={PYTHON}"
PACKAGE = PLUGINS / "mlx" / "tribench_mlx"


@pytest.fixture(scope="module")
def folder_checkout(checkout, tmp_path_factory):
    """A copy of the packages with MLX as one of our own."""
    copy = tmp_path_factory.mktemp("fourth") / "checkout"
    shutil.copytree(checkout, copy)
    shutil.copytree(PACKAGE, copy / "backends" / "mlx")
    for file in (copy / "backends" / "mlx").glob("*.py"):
        file.write_text(file.read_text(encoding="utf-8").replace("tribench_mlx", "backends.mlx"))
    (copy / ".nox").mkdir()
    (copy / ".nox" / "mlx").symlink_to(ROOT / ".nox" / "mlx")
    return copy


def test_no_file_of_the_suite_names_it():
    packages = [ROOT / name for name in ("suite", "tasks", "backends")]
    files = [file for package in packages for file in package.rglob("*.py")]
    assert len(files) > 200
    assert not [file for file in files if "mlx" in file.read_text(encoding="utf-8").lower()]


def test_it_does_what_an_adapter_owes(tribench):
    done = tribench("conformance", "mlx", THERE, "--json", "--quiet", plugins=("mlx",))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert len(results) > 150
    assert {result["precision"] for result in results} == {"float64", "float32"}
    assert {result["verdict"] for result in results} == {"pass"}


def test_it_computes_the_tiny_tasks_that_need_no_download(tribench):
    tasks = {"cnn-tiny", "rnn-tiny", "transformer-tiny", "gpt-tiny", "translation-tiny"}
    asked = ("--backend", "mlx", "--task", ",".join(sorted(tasks)), THERE, "--json", "--quiet")
    done = tribench("parity", *asked, plugins=("mlx",))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["task"] for result in results} == tasks
    assert {result["question"] for result in results} >= {"function", "precision", "training"}
    assert {result["verdict"] for result in results} == {"same"}


def test_a_folder_is_enough(tribench, folder_checkout):
    done = tribench("list", "--json", root=folder_checkout)
    assert done.returncode == 0, done.stderr
    backends = {row["backend"]: row for row in json.loads(done.stdout)["backends"]}
    assert backends["mlx"]["available"], backends["mlx"]
    assert backends["mlx"]["framework"] == "mlx"
    code = "from suite.worker.environment import environment; print(*environment('cpu'))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder_checkout,
        env=os.environ | {"MLX_DISABLE_COMPILE": "1", "PYTHONPATH": str(folder_checkout)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "MLX_DISABLE_COMPILE" not in told.stdout.split()
    assert "OMP_NUM_THREADS" in told.stdout.split()


def test_what_it_declares_reaches_the_coordinator(tribench, tmp_path, monkeypatch):
    """Its variables are kept from controlled workers, and told of stock."""
    monkeypatch.setenv("MLX_DISABLE_COMPILE", "1")
    for kind, told in (("controlled", False), ("stock", True)):
        out = tmp_path / kind
        asked = ("--backend", "mlx", "--task", "cnn-tiny", "--phase", "infer", "--launches", "1")
        more = ("--seeds", "0", "--environment", kind, "--output", str(out), "--quiet", THERE)
        done = tribench("run", "--profile", "quick", *asked, *more, plugins=("mlx",), once=True)
        assert done.returncode == 0, done.stdout + done.stderr
        (file,) = Path(out).rglob("environment.json")
        environment = json.loads(file.read_text(encoding="utf-8"))
        assert ("MLX_DISABLE_COMPILE" in environment["settings"]) is told
        assert environment["backends"]["mlx"]["mlx"][0].isdigit()
