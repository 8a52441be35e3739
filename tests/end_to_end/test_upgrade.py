"""``tribench upgrade``, through the real command line and the real pip, of versions that differ by
what is known.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import QUIET, command_environment, write_script
from tests.fixtures.scripted_versions import scripted_wheels

SCRIPT = {"scripted": {"step_seconds": 0.02, "live": 1000}}
SHORT = ("--backend", "scripted", "--task", "rnn-tiny", "--output", "runs")
TIMES = (*SHORT, "--launches", "3", "--seeds", "0", "--phase", "infer")
GATE = ("--fail-on-regression", "--json")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """Where the environments of this module's tests are kept."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    return scripted_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def upgrade(tribench, checkout, cache, wheels, monkeypatch, tmp_path):
    """``upgrade("1.0", "1.1", *options)``."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def run(old: str, new: str, *options: str):
        given = partial(tribench, root=checkout, script=SCRIPT, folder=tmp_path)
        return given("upgrade", *map(requirement, (old, new)), *options)

    return run


def requirement(version: str) -> str:
    return f"tribench-scripted=={version} scipy"


def of(found: dict, aspect: str) -> list[dict]:
    return [each for each in found["findings"] if each["aspect"] == aspect]


def only_run(folder: Path) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def test_nothing_changed_and_the_second_time_nothing_is_installed(upgrade, tmp_path):
    done = upgrade("1.0", "1.1", *SHORT, "--launches", "3", "--seeds", "2", *GATE)
    assert done.returncode == 0, done.stderr
    assert "making the environment of scripted@tribench-scripted-1.0: pip install" in done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "tribench/upgrade/1"
    assert [each["verdict"] for each in of(found, "speed")] == ["EQUIVALENT"] * 2
    assert {each["verdict"] for each in of(found, "compile")} <= {"EQUIVALENT", "INCONCLUSIVE"}
    memory = {each["what"]: each["verdict"] for each in of(found, "memory")}
    assert memory["live"] == "EQUIVALENT"
    assert [(e["base"], e["new"]) for e in of(found, "parity")] == [("same", "same")]
    (learnt,) = of(found, "accuracy")
    assert (learnt["verdict"], learnt["change"]["value"]) == ("EQUIVALENT", 0)
    assert not [each for each in found["findings"] if each["standing"] == "worse"]
    assert found["builds"] == ["CPU", "CPU"]
    run = only_run(tmp_path)
    page = (run / "upgrade.html").read_text()
    assert "tribench-scripted==1.0 scipy → tribench-scripted==1.1 scipy" in page
    assert "## What did not change" in (run / "upgrade.md").read_text()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["command"].startswith(
        "tribench upgrade 'tribench-scripted==1.0 scipy' 'tribench-scripted==1.1 scipy' "
        "--backend scripted --profile quick"
    )
    again = upgrade("1.0", "1.1", *TIMES, "--launches", "1")
    assert again.returncode == 0, again.stderr
    assert "making" not in again.stderr
    assert "What could not be told" in again.stdout  # one launch does not tell


def test_a_step_that_became_a_tenth_slower_is_slower_and_stops_a_gate(upgrade, tmp_path):
    done = upgrade("1.0", "1.2", *TIMES, *GATE)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    speed = of(found, "speed")
    assert [each["verdict"] for each in speed] == ["SLOWER"]
    assert abs(speed[0]["change"]["value"] - 1.1) < 0.01
    assert [each["verdict"] for each in of(found, "parity")] == ["same"]
    cell = "rnn-tiny infer ×128 eager float32"
    (told,) = [line for line in done.stderr.splitlines() if "SLOWER" in line]
    assert told.startswith(f"tribench: speed of {cell}: SLOWER, 1.10")
    table = (only_run(tmp_path) / "upgrade-table.md").read_text()
    assert "1 worse" in table
    assert f"| speed | {cell} |" in table
    done = upgrade("1.0", "1.2", "--resume", str(only_run(tmp_path)))
    assert done.returncode == 0, done.stderr  # without the option it is shown alone
    assert "SLOWER (δ 5 %)" in done.stdout
    done = upgrade("1.0", "1.1", "--resume", str(only_run(tmp_path)))
    assert done.returncode == 2
    assert "is no run of this upgrade" in done.stderr


def test_another_default_is_another_function(upgrade):
    done = upgrade("1.0", "2.0", *TIMES, "--launches", "1", *GATE)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    (parity,) = of(found, "parity")
    assert (parity["base"], parity["new"], parity["standing"]) == ("same", "different", "worse")
    assert "optimizer" in parity["reason"]
    (speed,) = of(found, "speed")
    assert (speed["verdict"], speed["reason"]) == (None, "parity different in NEW")
    assert (
        "tribench: parity of rnn-tiny eager float32: different in NEW, same in OLD" in done.stderr
    )
    back = upgrade("2.0", "1.0", *TIMES, "--launches", "1", *GATE)
    (parity,) = of(json.loads(back.stdout), "parity")
    assert parity["standing"] == "better"


def test_what_cannot_be_installed_is_not_available_with_the_reason_of_pip(upgrade, tmp_path):
    options = (*TIMES, "--launches", "1")
    done = upgrade("1.0", "7.0", *options, *GATE)
    assert done.returncode == 1, done.stderr
    assert "nothing is left to compare" in done.stderr
    found = json.loads(done.stdout)
    why = "No matching distribution found for tribench-scripted==7.0"
    (speed,) = of(found, "speed")
    assert speed["reason"] == f"not available in NEW: {why}"
    summary = json.loads((only_run(tmp_path) / "summary.json").read_text())
    assert {(c["backend"][-3:], c["status"]) for c in summary["cells"]} == {
        ("1.0", "ok"),
        ("7.0", "not_available"),
    }
    shown = upgrade("1.0", "7.0", "--resume", str(only_run(tmp_path)))
    assert shown.returncode == 0, shown.stderr
    assert why in shown.stdout


def test_an_interrupted_one_is_gone_on_with(upgrade, checkout, wheels, cache, tmp_path):
    asked = ("upgrade", *map(requirement, ("1.0", "1.1")), *TIMES)
    process = subprocess.Popen(
        [sys.executable, str(QUIET), *asked],
        cwd=tmp_path,
        env=command_environment(write_script(tmp_path, SCRIPT), (), checkout),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if "timing, launch 2" in line:
            process.send_signal(signal.SIGINT)
            break
    end = time.monotonic() + 60
    _, rest = process.communicate(timeout=max(1, end - time.monotonic()))
    assert process.returncode == 130
    go_on = "go on with: tribench upgrade 'tribench-scripted==1.0 scipy' "
    assert go_on in rest
    assert "--backend scripted --resume runs/" in rest
    run = only_run(tmp_path)
    assert "partial" in (run / "upgrade.html").read_text()
    resume = ("--backend", "scripted", "--resume", str(run))
    done = upgrade("1.0", "1.1", *resume, "--launches", "9")
    assert done.returncode == 2
    assert "--resume takes its options from the run; give OLD, NEW and --backend" in done.stderr
    done = upgrade("1.0", "1.1", *resume, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["complete"]
    assert [each["verdict"] for each in of(found, "speed")] == ["EQUIVALENT"]


def test_requirements_may_stand_in_files(upgrade, tribench, checkout, tmp_path):
    for name, version in (("old", "1.0"), ("new", "1.2")):
        text = f"# what we run\ntribench-scripted=={version}\nscipy\n"
        (tmp_path / f"{name}.txt").write_text(text)
    options = (*TIMES, "--launches", "1", "--json")
    done = tribench(
        *("upgrade", "old.txt", "-r new.txt", *options),
        root=checkout,
        script=SCRIPT,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    asked = json.loads(done.stdout)["upgrade"]
    assert asked == {
        "base": "scripted@tribench-scripted-1.0",
        "new": "scripted@tribench-scripted-1.2",
        "base_requirements": "-r old.txt",
        "new_requirements": "-r new.txt",
    }


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("numpy==1.26.4", "numpy==2.2.0"), "numpy belong to no backend that is known"),
        (("torch==2.12.0", "jax==0.10.1"), "torch, jax belong to torch and jax; name one"),
        (("torch==2.12.0", ""), "NEW (): it must have a requirement"),
        (("torch==2.12.0 --target x", "torch"), "pip's option --target cannot be given"),
        (("torch", "torch", "--taks", "rnn-tiny"), "(--taks rnn-tiny)"),
        (("torch", "no.txt"), "the requirements of no.txt cannot be read"),
        (("torch", "torch", "--task", "cnn-huge"), "no task matches 'cnn-huge'"),
    ],
)
def test_wrong_use_is_one_line(tribench, checkout, tmp_path, asked, said):
    done = tribench("upgrade", *asked, root=checkout, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not [*tmp_path.iterdir()]
