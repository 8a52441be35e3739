"""The GitHub Action: its scripts, run here against versions of the scripted adapter."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from tests.conftest import QUIET, write_script
from tests.fixtures.action import Action, action
from tests.fixtures.scripted_versions import scripted_wheels

SCRIPT = {"scripted": {"step_seconds": 0.02}}
INPUTS = {
    "old": "tribench-scripted==1.0 scipy",
    "backend": "scripted",
    "tasks": "rnn-tiny",
    "fail-on-regression": "true",
    "options": "--launches 2 --seeds 0 --phase infer",
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    return scripted_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Action:
    """The action after its first step. Libraries are found where these tests have them: pip
    installs tribench alone.
    """
    found = action(tmp_path_factory.mktemp("action"))
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = found.temporary / "tribench" / "lib" / python / "site-packages"
    packages.mkdir(parents=True)
    (packages / "tests.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    done = next(found.steps(INPUTS | {"new": ""}, PATH=_path()))
    assert done.returncode == 0, done.stderr
    assert found.program.exists()
    return found


def _path() -> str:
    """Where ``python3`` is that of the tests."""
    return f"{Path(sys.executable).parent}:/usr/bin:/bin"


def judged(installed, tmp_path, wheels, monkeypatch, new):
    """The second step, with the installed tribench on cores that are always as fast."""
    python = installed.program.with_name("python")
    installed.program.write_text(f'#!/bin/sh\nexec "{python}" "{QUIET}" "$@"\n')
    script = write_script(tmp_path, SCRIPT)
    for name in ("output", "summary.md"):
        (installed.temporary / name).unlink(missing_ok=True)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    steps = installed.steps(INPUTS | {"new": new}, SCRIPT=str(script), PATH=_path())
    return [*steps][-1]


def test_an_upgrade_without_regression_passes(installed, tmp_path, wheels, monkeypatch):
    done = judged(installed, tmp_path, wheels, monkeypatch, "tribench-scripted==1.1 scipy")
    assert done.returncode == 0, done.stderr
    assert "# tribench-scripted==1.0 scipy → tribench-scripted==1.1 scipy" in (
        installed.summary.replace("\\", "")
    )
    assert "EQUIVALENT" in installed.summary
    outputs = installed.outputs
    assert outputs.keys() == {"run", "page", "table"}
    assert Path(outputs["run"], "manifest.json").exists()
    assert "<title>" in Path(outputs["page"]).read_text()
    table = Path(outputs["table"]).read_text()
    assert table.startswith("**tribench-scripted==1.0 scipy → tribench-scripted==1.1 scipy**")
    assert "0 worse" not in table


def test_a_regression_fails_and_is_told_all_the_same(installed, tmp_path, wheels, monkeypatch):
    done = judged(installed, tmp_path, wheels, monkeypatch, "tribench-scripted==1.2 scipy")
    assert done.returncode == 1
    assert "SLOWER, 1.10" in done.stderr
    assert "SLOWER (δ 5 %)" in installed.summary
    assert "1 worse" in Path(installed.outputs["table"]).read_text()


def test_an_input_is_no_part_of_the_script(installed, tmp_path, wheels, monkeypatch):
    done = judged(installed, tmp_path, wheels, monkeypatch, "$(touch hit); `touch hit`")
    assert done.returncode == 1
    assert "not available in NEW: Invalid requirement" in done.stderr  # in the words of pip
    assert not (installed.temporary / "hit").exists()
