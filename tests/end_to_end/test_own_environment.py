"""``--python``: workers in virtual environments that a user made, with and without a framework."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PLUGINS

QUIET_JSON = ("--json", "--quiet")


@pytest.fixture(scope="session")
def torch_packages(real_installations) -> Path:
    """Where the packages of PyTorch's environment lie."""
    code = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run(
        [real_installations["torch"].interpreter, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


@pytest.fixture
def environment(tmp_path, real_installations):
    """Make a virtual environment; its site-packages."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        command = [
            real_installations["torch"].interpreter,
            "-m",
            "venv",
            "--without-pip",
            str(folder),
        ]
        subprocess.run(command, check=True)
        (packages,) = folder.glob("lib/python*/site-packages")
        return packages

    return make


def python(packages: Path) -> str:
    return str(packages.parents[2] / "bin" / "python")


def borrow(packages: Path, others: Path) -> None:
    """Give an environment all packages of another."""
    (packages / "borrowed.pth").write_text(f"{others}\n")


def test_two_environments_of_one_framework_are_two_arms(
    environment, torch_packages, tribench, tmp_path
):
    new, old = environment("new"), environment("old")
    borrow(new, torch_packages)
    borrow(old, torch_packages)
    done = tribench(
        *("run", "--backend", "torch", "--task", "rnn-tiny", "--launches", "1"),
        *("--python", f"torch={python(new)}", "--python", f"torch@old={python(old)}"),
        *("--output", "runs", *QUIET_JSON),
        folder=tmp_path,
        once=True,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    cells = {(cell["backend"], cell["phase"]): cell for cell in summary["cells"]}
    assert cells.keys() == {(b, p) for b in ("torch", "torch@old") for p in ("train", "infer")}
    assert all(cell["parity"] == "same" for cell in cells.values())
    assert all(cell["samples_per_second"] > 0 for cell in cells.values())
    assert {(c["base"], c["new"]) for c in summary["comparisons"]} >= {("torch", "torch@old")}
    (run,) = (tmp_path / "runs").iterdir()
    assert {p.name for p in (run / "logs").iterdir()} >= {"torch-0.log", "torch@old-0.log"}
    manifest = json.loads((run / "manifest.json").read_text())
    assert "--python torch@old=python" in manifest["command"]
    environments = json.loads((run / "environment.json").read_text())["backends"]
    assert environments["torch"] == environments["torch@old"]
    for path in run.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".html", ".md", ".csv"):
            assert str(tmp_path) not in path.read_text(), path.name
            assert str(torch_packages) not in path.read_text(), path.name


def test_an_environment_without_anything_is_one_line(environment, tribench):
    path = python(environment("empty"))
    done = tribench("run", "--backend", "torch", "--python", f"torch={path}")
    assert_one_line(done, f"--python torch={path}: cannot run a worker: ", "named 'numpy'")


def test_an_environment_without_the_framework_is_one_line(environment, torch_packages, tribench):
    packages = environment("numpy")
    for path in torch_packages.glob("numpy*"):
        (packages / path.name).symlink_to(path)
    path = python(packages)
    done = tribench("run", "--backend", "torch", "--python", f"torch={path}")
    assert_one_line(done, f"--python torch={path}: ", "No module named 'torch'")


def assert_one_line(done, *words: str) -> None:
    assert done.returncode == 2, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert done.stdout == ""


def test_adapters_that_are_installed_only_there_are_found_and_tasks_are_not(
    environment, torch_packages, tribench, real_installations
):
    packages = environment("theirs")
    borrow(packages, torch_packages)
    shutil.copytree(PLUGINS / "faulty", packages, dirs_exist_ok=True)
    path = python(packages)
    pythons = ("--python", f"careful={path}", "--python", f"torch@theirs={path}")
    done = tribench("list", "--task", "rnn-tiny", *pythons, "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    backends = {backend["backend"]: backend for backend in listed["backends"]}
    assert backends["careful"]["interpreter"] == backends["faulty"]["interpreter"] == path
    assert backends["torch@theirs"]["interpreter"] == path
    assert (
        backends["torch"]["interpreter"] == real_installations["torch"].interpreter
    )  # not named: ours
    assert {r["can_run"] for r in listed["runs"] if r["backend"] == "careful"} == {True}
    done = tribench(
        *("parity", "--backend", "careful", "--task", "rnn-tiny", "--execution", "eager"),
        *("--python", f"careful={path}", *QUIET_JSON),
    )
    assert done.returncode == 0, done.stderr
    assert {r["verdict"] for r in json.loads(done.stdout)["results"]} == {"same"}
    # Tasks are made where tribench itself runs: its environment must have their package.
    done = tribench("parity", "--task", "odd-tiny", "--python", f"careful={path}")
    assert_one_line(done, "no task matches 'odd-tiny'; there are")
