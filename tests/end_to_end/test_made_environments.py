"""``--with``: environments that tribench makes itself, by the real pip."""

from __future__ import annotations

import json
import subprocess
import zipfile
from functools import partial
from pathlib import Path

import pytest

from suite.worker import made
from tests.conftest import PLUGINS
from tests.fixtures.wheels import wheel

SCRIPTED = PLUGINS / "scripted"
OLD = "scripted@old=tribench-scripted==1.0 scipy"


@pytest.fixture(scope="module")
def tribench(tribench, checkout):
    return partial(tribench, root=checkout)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """The scripted adapters as a package."""
    folder = tmp_path_factory.mktemp("wheels")
    (about,) = SCRIPTED.glob("*.dist-info")
    modules = {"tribench_scripted": (SCRIPTED / "tribench_scripted.py").read_text()}
    entry_points = (about / "entry_points.txt").read_text()
    wheel(folder, "tribench-scripted", "1.0", modules, entry_points)
    return folder


@pytest.fixture
def settings(monkeypatch, wheels, tmp_path):
    """pip finds the wheels beside what it finds anyway; what is made lies in a cache of its own."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tribench" / "environments"


def environments(tribench, *more):
    done = tribench("environments", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["environments"]


def test_an_arm_runs_in_an_environment_that_is_made_once(tribench, settings, tmp_path):
    script = {name: {"step_seconds": 0.02} for name in ("scripted", "scripted@old")}
    asked = ("run", "--backend", "scripted", "--task", "rnn-tiny", "--launches", "1")
    more = ("--seeds", "0", "--output", "runs", "--with", OLD)
    run = partial(tribench, *asked, *more, script=script, plugins=("scripted",), folder=tmp_path)
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tribench: making the environment of scripted@old: pip install" in done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    summary = json.loads((folder / "summary.json").read_text())
    assert {cell["backend"] for cell in summary["cells"]} == {"scripted", "scripted@old"}
    assert {cell["parity"] for cell in summary["cells"]} == {"same"}
    assert {frozenset((c["base"], c["new"])) for c in summary["comparisons"]} == {
        frozenset(("scripted", "scripted@old"))
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert f"--with '{OLD}'" in manifest["command"]
    again = tribench("list", "--task", "rnn-tiny", "--with", OLD, folder=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "making" not in again.stderr
    assert "scripted@old" in again.stdout
    (there,) = environments(tribench)
    assert there["requirements"] == "tribench-scripted==1.0 scipy"
    assert there["size_bytes"] > 1e6
    shown = tribench("environments")
    assert there["name"] in shown.stdout
    assert environments(tribench, "--remove", there["name"]) == []
    assert [*settings.iterdir()] == []


def test_what_pip_cannot_install_is_one_line_and_nothing_is_left(tribench, settings, tmp_path):
    asked = ("run", "--task", "rnn-tiny", "--with", "scripted@x=tribench-scripted==7.0")
    done = tribench(*asked, plugins=("scripted",), folder=tmp_path)
    assert done.returncode == 2
    *_, line = done.stderr.splitlines()
    assert "tribench-scripted==7.0" in line
    assert "No matching distribution found" in line
    log = line.rpartition("see ")[2]
    assert Path(log).read_text()
    assert not [path for path in settings.iterdir() if path.is_dir()]
    assert not [*tmp_path.rglob("manifest.json")]


def test_one_that_was_not_finished_is_made_anew_and_none_is_made_twice(
    settings, tmp_path, monkeypatch
):
    for name in ("numpy", "small"):
        wheel(tmp_path, name, "9.9", {name: "VALUE = 7\n"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "there").mkdir()
    with zipfile.ZipFile(
        wheel(tmp_path / "there", "small", "9.9", {"small": "VALUE = 8\n"})
    ) as zip_:
        zip_.extractall(tmp_path / "there")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "there"))  # which pip must not look in
    said = []
    make = partial(made.make, made.wanted("mine=small"), settings, said.append)
    python = make()
    assert made.every(settings)[0].requirements == "small"
    assert make() == python
    assert len(said) == 1
    code = "import numpy, small; print(small.VALUE)"
    run = partial(subprocess.run, [python, "-I", "-c", code], capture_output=True, text=True)
    assert run(check=True).stdout == "7\n"
    (Path(python).parents[1] / "made.json").unlink()
    assert made.every(settings) == []
    assert make() == python
    assert len(said) == 2
    assert run(check=True).stdout == "7\n"


def test_wrong_names_are_refused(tribench, settings, tmp_path):
    for asked, said in (
        (("--with", OLD, "--with", OLD), "scripted@old is given twice"),
        (("--with", "scripted"), "it must be NAME=REQUIREMENTS"),
        (("--with", OLD, "--task", "cnn-huge"), "no task matches 'cnn-huge'"),
    ):
        done = tribench("run", *asked, folder=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = tribench("environments", "--remove", "nothing")
    assert done.returncode == 2
    assert not settings.exists()
