"""What may stand among published runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from suite import session
from suite.store import publishing
from suite.store.directory import RunDirectory
from suite.store.schema import BlockRecord, PhaseRecord
from tests.sample_run import sample_run


@pytest.fixture
def stored(tmp_path):
    """A whole run directory, as a run leaves it."""

    def write(change=lambda record: record, **changes):
        run = sample_run(tmp_path, **changes)
        path = tmp_path / "runs" / run.manifest.id
        path.mkdir(parents=True)
        with RunDirectory(path) as store:
            store.write("manifest.json", run.manifest)
            store.write("environment.json", run.environment)
            for record in map(change, run.records):
                store.append(record)
            for unit, attempt in {(record.unit, record.attempt) for record in run.records}:
                store.append(PhaseRecord(unit=unit, attempt=attempt, phase="unit", seconds=1))
            session.close(store, complete=run.manifest.complete)
        return session.read(path)

    return write


def test_a_whole_run_is_published_as_records_and_no_page(stored, tmp_path):
    run = stored()
    assert publishing.problems(run) == []
    place = publishing.publish(run, tmp_path / "published")
    assert sorted(path.name for path in place.iterdir()) == sorted(publishing.FILES)
    assert session.read(place).summary == run.summary
    assert publishing.publish(run, tmp_path / "published") == place  # once more changes nothing
    assert [path.name for path in place.parent.iterdir()] == [run.manifest.id]


def test_an_unfinished_run_is_not(stored):
    assert "it is not complete" in publishing.problems(stored(complete=False))


def test_a_damaged_record_is_named(stored):
    run = stored()
    records = run.path / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"steps": ', b'"steps": 1', 1))
    found = publishing.problems(session.read(run.path))
    assert any("line 1 was left out" in problem for problem in found)


def test_a_negative_time_is_implausible(stored):
    def negative(record):
        return (
            record.model_copy(update={"seconds": -1.0})
            if isinstance(record, BlockRecord)
            else record
        )

    run = stored()
    run.records[:] = map(negative, run.records)
    assert any("took -1 s" in problem for problem in publishing.problems(run))


def test_a_speed_without_parity_is_refused(stored):
    run = stored()
    cells = [cell.model_copy(update={"parity": None}) for cell in run.summary.cells]
    assert any(
        "has no parity" in problem for problem in publishing.problems(_with(run, cells=cells))
    )


def test_a_peak_below_the_parameters_is_implausible(stored):
    run = stored()
    cells = [
        cell.model_copy(update={"memory": cell.memory.model_copy(update={"process": 1})})
        for cell in run.summary.cells
    ]
    tasks = {name: told | {"parameters": 1000} for name, told in run.manifest.tasks.items()}
    manifest = run.manifest.model_copy(update={"tasks": tasks})
    found = publishing.problems(replace(_with(run, cells=cells), manifest=manifest))
    assert any("a process peak of 1 bytes is below the parameters' 4000" in p for p in found)


def test_a_rate_far_over_the_ceiling_is_implausible(stored):
    run = stored()
    cells = [cell.model_copy(update={"of_ceiling": 3.0}) for cell in run.summary.cells]
    assert any("300 % of the ceiling" in p for p in publishing.problems(_with(run, cells=cells)))


def test_what_is_personal_is_refused_but_for_a_label(stored):
    home = str(Path.home())
    assert any("personal" in p for p in publishing.problems(stored(command=f"tribench {home}/x")))


def test_nothing_is_left_where_copying_fails(stored, tmp_path, monkeypatch):
    run = stored()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(Exception, match="No space"):
        publishing.publish(run, tmp_path / "published")
    assert not (tmp_path / "published" / run.manifest.id).exists()
    assert json.loads((run.path / "manifest.json").read_text())["complete"]


def _with(run, **changes):
    return replace(run, summary=run.summary.model_copy(update=changes))
