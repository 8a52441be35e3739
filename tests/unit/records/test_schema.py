"""What every result carries, and that what was written once can be read for ever."""

from __future__ import annotations

import json
import shutil

import pytest

from suite.records.schema import Environment, PhaseRecord
from suite.run import session
from suite.store import fingerprint, lines
from suite.store.directory import NewerError
from suite.worker.adapters import Adapter
from suite.worker.installations import Installation
from tests.conftest import ROOT
from tests.fixtures.stored_run import stored_sample

KEPT = sorted(path for path in (ROOT / "tests" / "kept").iterdir() if path.is_dir())
FIELDS = {  # what a result carries, and where: of records, their cells, the machine
    "block": {"cell", "launch", "round", "position", "steps", "lead_in", "seconds", "noise"},
    "phase": {"cell", "launch", "samples", "steady", "facts", "seconds"},
    "environment": {
        *("cpu", "cores", "physical_cores", "threads", "memory_bytes", "gpus", "driver"),
        *("system", "container", "allocator", "settings", "coordinator", "backends", "facts"),
    },
}


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_runs_of_older_versions_are_read_for_ever(path, tmp_path):
    """Never remade: they are what tribench wrote then. Their numbers come out as they did."""
    run = session.read(path)
    assert run.damage == ()
    told = json.loads((path / "told.json").read_text())
    measured = [cell for cell in run.summary.cells if cell.step_seconds]
    assert told
    assert [cell.task for cell in measured] == [one["task"] for one in told]
    for cell, one in zip(measured, told, strict=True):
        assert cell.step_seconds.value == pytest.approx(one["seconds"], rel=0.02)
        assert cell.parity == one["parity"]
        assert cell.command.startswith("tribench run --task ")
    place = tmp_path / path.name
    shutil.copytree(path, place)
    session.render(session.read(place))
    assert (place / "page.html").stat().st_size > 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": "tribench/run/2"}, "has schema 'tribench/run/2'; this tribench reads"),
        ({"voltage": 1.2}, "was written by a newer tribench: it has a field 'voltage'"),
    ],
)
def test_runs_of_newer_versions_are_refused_with_a_clear_line(tmp_path, change, said):
    path = stored_sample(tmp_path)
    (path / "SHA256SUMS").unlink()
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | change))
    with pytest.raises(NewerError, match=said):
        session.read(path)


def test_a_record_of_a_newer_version_is_left_out_and_says_so(tmp_path):
    path = stored_sample(tmp_path)
    (path / "SHA256SUMS").unlink()
    first, *rest = (path / "records.jsonl").read_text().splitlines(keepends=True)
    data = json.loads(first) | {"voltage": 1.2}
    del data["checksum"]
    line = json.dumps(data | {"checksum": lines.checksum(data)}) + "\n"
    (path / "records.jsonl").write_text("".join([line, *rest]))
    (damage,) = session.read(path).damage
    assert "line 1 was left out: it has a field 'block.voltage'" in damage


def test_the_machine_is_told_and_nobody_on_it():
    numpy = Adapter(name="numpy", target="x:Y", versions={"numpy": "2.0"})
    found = fingerprint.fingerprint(
        [Installation(name="numpy", interpreter="/x/python", adapter=numpy)], "cpu"
    )
    assert set(Environment.model_fields) >= FIELDS["environment"]
    assert found.backends == {"numpy": {"numpy": "2.0"}}
    assert found.allocator
    assert found.physical_cores is None or found.physical_cores <= found.cores
    assert (found.driver is None) == (found.gpus == [])
    assert "/x/" not in found.model_dump_json()


def test_every_result_carries_what_repeats_it(tmp_path):
    run = session.read(stored_sample(tmp_path))
    kinds = {record.kind: type(record) for record in run.records}
    for kind in ("block", "phase"):
        assert FIELDS[kind] <= set(kinds[kind].model_fields)
    assert len(run.summary.cells) == len(run.manifest.cells) > 0
    assert all(cell.command for cell in run.summary.cells)


def test_the_name_of_a_fact_is_shortened_as_its_value():
    facts = {"at /srv/anna/x.pt": r"\/srv\/anna\/y", "/srv/anna/z": "1", "kernels": "3/4 of 1/2"}
    record = PhaseRecord(unit="a", attempt="b", phase="build", seconds=0, facts=facts)
    assert record.facts == {"at x.pt": "y", "z": "1", "kernels": "3/4 of 1/2"}
    assert lines.record_of(lines.line_of(record).rstrip()) == record
