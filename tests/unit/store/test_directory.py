"""The run directory: whole or recognisably partial, whatever happens to it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suite.records.schema import Cell, FailureRecord, Manifest, MemoryRecord, PhaseRecord
from suite.store import directory
from suite.store.directory import StoreError

CELL = Cell(
    task="cnn-tiny",
    phase="train",
    backend="torch",
    execution="eager",
    precision="float32",
    device="cpu",
    batch_size=8,
)


def memory(unit, attempt="a", live=1):
    return MemoryRecord(
        unit=unit, attempt=attempt, cell=CELL, live=live, reserved=None, process=2, baseline=3
    )


def closing(unit, attempt="a"):
    return PhaseRecord(unit=unit, attempt=attempt, phase="unit", seconds=1.0)


def test_records_of_finished_units_come_back(tmp_path):
    with directory.create(tmp_path, "r") as store:
        for record in (memory("x"), closing("x"), memory("y")):
            store.append(record)
    records, damaged = directory.read_records(tmp_path / "r")
    assert records == [memory("x"), closing("x")]
    assert damaged == []


def test_an_attempt_that_was_cut_off_does_not_mix_with_the_next(tmp_path):
    with directory.create(tmp_path, "r") as store:
        store.append(memory("x", "first", live=1))
        store.append(memory("x", "second", live=2))
        store.append(closing("x", "second"))
    records, _ = directory.read_records(tmp_path / "r")
    assert [r.live for r in records if isinstance(r, MemoryRecord)] == [2]


def test_a_cut_off_line_is_named_and_the_rest_stays(tmp_path):
    with directory.create(tmp_path, "r") as store:
        store.append(memory("x"))
    file = tmp_path / "r" / "records.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    with directory.RunDirectory(tmp_path / "r") as store:
        store.append(memory("y"))
        store.append(closing("y"))
    records, damaged = directory.read_records(tmp_path / "r")
    assert [r.unit for r in records] == ["y", "y"]
    assert len(damaged) == 1
    assert "line 1" in damaged[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_no_flipped_byte_passes_for_data(tmp_path, data):
    run = tmp_path / directory.new_id()
    with directory.create(tmp_path, run.name) as store:
        for record in (memory("x"), memory("y"), closing("x"), closing("y")):
            store.append(record)
    file = run / "records.jsonl"
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(content))
    records, damaged = directory.read_records(run)
    originals = [memory("x"), memory("y"), closing("x"), closing("y")]
    assert all(record in originals for record in records)
    assert damaged or bytes(content) == b"" or records == originals


def test_two_at_once_are_refused(tmp_path):
    with directory.create(tmp_path, "r"), pytest.raises(StoreError, match="in use"):
        directory.RunDirectory(tmp_path / "r")


def test_an_output_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="nothing can be written under"):
        directory.check(tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("name", "why"), [("folder", "it is a folder"), ("long" * 99, "File name too long")]
)
def test_a_file_that_cannot_be_written_is_one_line(tmp_path, name, why):
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=f"cannot be written: {why}"):
        directory.check_file(tmp_path / name)
    directory.check_file(tmp_path / "new" / "page.html")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    "name", ["records.jsonl", "manifest.json", "page.html", "../run/summary.md"]
)
def test_a_runs_own_files_are_not_written_over(tmp_path, name):
    run = tmp_path / "run"
    run.mkdir()
    directory.check_file(run / "summary.md")  # a folder that is no run
    (run / "manifest.json").write_text("{}")
    with pytest.raises(StoreError, match="is a run's own file; give another name"):
        directory.check_file(run / name)
    directory.check_file(run / "mine.html")


def test_newer_schemas_are_refused(tmp_path):
    manifest = Manifest(
        id="r",
        created="2026-11-25T15:00:00+00:00",
        tribench="1",
        command="tribench run",
        label=None,
        profile="quick",
        launches=2,
        seeds=[0],
        delta=0.05,
        tasks={},
        cells=[CELL],
        complete=False,
    )
    with directory.create(tmp_path, "r") as store:
        store.write("manifest.json", manifest)
    assert directory.read_manifest(tmp_path / "r") == manifest
    data = json.loads((tmp_path / "r" / "manifest.json").read_text())
    (tmp_path / "r" / "manifest.json").write_text(json.dumps(data | {"schema": "tribench/run/9"}))
    with pytest.raises(StoreError, match=r"tribench/run/9.*reads tribench/run/1"):
        directory.read_manifest(tmp_path / "r")


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(StoreError, match="is no run"):
        directory.read_manifest(tmp_path)


def test_records_hold_no_nan():
    with pytest.raises(ValueError, match="finite"):
        PhaseRecord(unit="x", attempt="a", phase="unit", seconds=float("nan"))


def test_a_reason_may_hold_anything(tmp_path):
    reason = 'line\nbreak "quotes" </script> \u2028 🙂'
    record = FailureRecord(
        unit="x", attempt="a", stage="timing", status="failed", reason=reason, cell=CELL
    )
    with directory.create(tmp_path, "r") as store:
        store.append(record)
        store.append(closing("x"))
    records, damaged = directory.read_records(tmp_path / "r")
    assert damaged == []
    assert records[0].reason == reason


@pytest.mark.parametrize("room", [0, 1, 100, 4000])
def test_a_record_is_appended_whole_or_not_at_all(room, tmp_path):
    """In a process of its own, whose files cannot grow beyond a limit, as on a full disk."""
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from suite.store.directory import RunDirectory\n"
        "from suite.records.schema import PhaseRecord\n"
        "from suite.files import WriteError\n"
        "store = RunDirectory(Path(sys.argv[1]))\n"
        "limit = int(sys.argv[2]) + store.records.stat().st_size\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "try:\n"
        "    while True:\n"
        "        store.append(PhaseRecord(unit='y', attempt='a', phase='unit', seconds=1))\n"
        "except WriteError as error:\n"
        "    print(error)\n"
    )
    with directory.create(tmp_path, "r") as store:
        for record in (memory("x"), closing("x")):
            store.append(record)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "r", str(room)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{tmp_path}/r/records.jsonl cannot be written: File too large\n"
    records, damaged = directory.read_records(tmp_path / "r")
    assert damaged == []
    assert records[:2] == [memory("x"), closing("x")]
    assert (len(records) > 2) == (room == 4000)
