"""A run that is killed again and again, at any moment, loses nothing that was finished. About two
seconds of a core a kill."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from suite.report.page.page import render
from suite.run import session
from suite.store.seal import is_sealed
from tests.conftest import ROOT, command_environment, write_script

KILLS, SEED = 100, 7
LAUNCHES = 3
SCRIPT = {"scripted": {"step_seconds": 0.02}, "rival": {"step_seconds": 0.04}}
RUN = (
    *("run", "--backend", "scripted,rival", "--task", "rnn-tiny", "--output", "runs"),
    *("--launches", str(LAUNCHES), "--seeds", "2"),
)


@pytest.fixture
def tribench(checkout, tmp_path):
    """``tribench(arguments, seconds)``: run it, and kill it then; its exit code, what it said."""
    server = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "slow" / "forked.py"],
        cwd=tmp_path,
        env=command_environment(write_script(tmp_path, SCRIPT), ("scripted",), checkout),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def ask(arguments, seconds=None):
        server.stdin.write(json.dumps({"arguments": arguments, "seconds": seconds}) + "\n")
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        return answer["code"], answer["said"]

    yield ask
    server.stdin.close()
    server.wait(60)


def begun(folder: Path) -> Path | None:
    """The run directory, once it can be gone on with."""
    found = [path.parent for path in (folder / "runs").glob("*/manifest.json")]
    assert len(found) <= 1
    return found[0] if found else None


def finished(run: Path) -> dict[str, str]:
    """The attempt that finished each unit; a unit that is finished twice would be a fault."""
    units = {}
    for line in (run / "records.jsonl").read_bytes().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # what was being written at a kill
        if record["kind"] == "phase" and record["phase"] == "unit":
            assert units.setdefault(record["unit"], record["attempt"]) == record["attempt"]
    return units


def test_a_hundred_kills_lose_nothing(tribench, tmp_path):
    code, said = tribench([*RUN])
    assert code == 0, said
    whole = session.read(begun(tmp_path))
    units = finished(whole.path).keys()
    assert is_sealed(whole.path)
    shutil.rmtree(tmp_path / "runs")

    chance, kills = random.Random(SEED), 0
    longest = 2.0  # seconds until a kill; then such that every fourth time something is finished
    while kills < KILLS:
        run = begun(tmp_path)
        before = finished(run) if run else {}
        again = ["run", "--resume", str(run)] if run else [*RUN]
        code, said = tribench(again, chance.uniform(0, longest))
        assert code in (0, -9), said
        run = begun(tmp_path)
        after = finished(run) if run else {}
        assert before.items() <= after.items()
        longest *= 0.85 if after.keys() > before.keys() else 1.05
        if run is not None:
            read = session.read(run)  # at any moment
            assert read.manifest.cells == whole.manifest.cells
            assert all(told.startswith("records.jsonl: line") for told in read.damage)
            assert is_sealed(run) <= read.manifest.complete
        if code == 0:
            _same(session.read(run), whole, units)
            shutil.rmtree(tmp_path / "runs")
            continue
        kills += 1
        if run is not None and kills % 10 == 0:
            assert read.manifest.complete or "PARTIAL" in render(read)
    run = begun(tmp_path)
    code, said = tribench(["run", "--resume", str(run)] if run else [*RUN])
    assert code == 0, said
    _same(session.read(begun(tmp_path)), whole, units)


def _same(run, whole, units):
    """It ended as if nothing had happened."""
    assert finished(run.path).keys() == units
    assert is_sealed(run.path)
    assert run.summary.complete
    assert whole.summary.cells
    for cell, other in zip(run.summary.cells, whole.summary.cells, strict=True):
        assert (cell.status, cell.launches, cell.blocks) == ("ok", LAUNCHES, other.blocks)
        assert cell.step_seconds.value == pytest.approx(other.step_seconds.value)
        assert cell.accuracy == other.accuracy
    assert "PARTIAL" not in (run.path / "page.html").read_text()
