"""What may stand among published runs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.records.schema import (
    AccuracyRecord,
    BlockRecord,
    CeilingRecord,
    LineRecord,
    MemoryRecord,
    ParityRecord,
    PhaseRecord,
)
from suite.run import session
from suite.store import publish
from suite.store.seal import DATA, SEAL, read_seal, seal
from suite.worker.variables import changes
from tests.conftest import ROOT
from tests.fixtures.sample_run import sample_run
from tests.fixtures.stored_run import stored_sample


def test_a_variable_that_is_not_known_is_not_published(tmp_path):
    run = sample_run(tmp_path)
    known = dict.fromkeys((*changes(), *publish.SETTINGS), "1")
    with_token = known | {"TF_TOKEN_x": "SECRET"}
    for variables, told in ((known, 0), (with_token, 1)):
        found = replace(run, environment=run.environment.model_copy(update={"settings": variables}))
        problems = [each for each in publish.problems(found) if "secret" in each]
        assert len(problems) == told
        assert "SECRET" not in str(problems)


PUBLISHED = sorted(path.parent for path in (ROOT / "results" / "published").glob("*/manifest.json"))


@pytest.fixture
def stored(tmp_path):
    """A whole run directory, as a run leaves it, read back."""

    def write(**changes):
        return session.read(stored_sample(tmp_path / "runs", **changes))

    return write


@pytest.fixture
def run(stored):
    return stored()


def spoilt(run, kind, **changes):
    """The run with fields of its first record of a kind changed, whatever the record holds."""
    index = next(n for n, record in enumerate(run.records) if isinstance(record, kind))
    records = list(run.records)
    records[index] = _changed(records[index], changes)
    return replace(run, records=records)


def _changed(model, changes):
    fields = {
        name: _changed(getattr(model, name), value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return model.model_copy(update=fields)


def found(run):
    return "\n".join(publish.problems(run))


def test_a_whole_run_is_published_as_records_and_no_page(run, tmp_path):
    assert publish.problems(run) == []
    place = publish.publish(run, tmp_path / "published")
    assert sorted(path.name for path in place.iterdir()) == sorted([SEAL, *DATA])
    assert session.read(place).summary == run.summary
    assert read_seal(place).broken == {}
    assert publish.foreign(place) == []
    again = session.read(place)
    assert publish.publish(again, tmp_path / "published") == place  # once more changes nothing
    assert [path.name for path in place.parent.iterdir()] == [run.manifest.id]


def test_an_unfinished_run_is_refused(stored):
    assert "it is not complete" in found(stored(complete=False))


def test_a_run_under_another_name_is_refused(run):
    other = run.path.rename(run.path.with_name("mine"))
    assert f"its folder is not called {run.manifest.id}" in found(session.read(other))


@pytest.mark.parametrize("name", DATA)
def test_a_file_that_was_changed_is_named(run, name):
    file = run.path / name
    file.write_bytes(file.read_bytes().replace(b"2", b"3"))
    assert f"{name}: " in found(session.read(run.path))


@pytest.mark.parametrize(("kills", "told"), [(1, "line 1 was"), (2, "2 lines were")])
def test_lines_that_kills_cut_off_are_lost_to_nobody(run, kills, told):
    records = run.path / "records.jsonl"
    records.write_bytes(kills * b'{"unit": "tim\n' + records.read_bytes())
    assert f"records.jsonl: {told} left out" in found(session.read(run.path))
    seal(run.path)
    assert publish.problems(session.read(run.path)) == []


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (BlockRecord, {"seconds": -1.0}, "took -1 s for 5 steps"),
        (BlockRecord, {"seconds": 0.0}, "took 0 s for 5 steps"),
        (BlockRecord, {"steps": 0}, "for 0 steps"),
        (PhaseRecord, {"seconds": -1e-9}, "took less than no time"),
        (PhaseRecord, {"samples": [0.1, -0.1]}, "took less than no time"),
        (AccuracyRecord, {"training": {"seconds": -1.0}}, "took less than no time"),
        (AccuracyRecord, {"training": {"test_accuracy": 1.01}}, "a share of 1.01 is not between"),
        (AccuracyRecord, {"training": {"validation_accuracies": [-0.1]}}, "a share of -0.1 is not"),
        (AccuracyRecord, {"training": {"test_macro_f1": 2.0}}, "a share of 2 is not between"),
        (AccuracyRecord, {"training": {"sequence_accuracy": 1.5}}, "a share of 1.5 is not between"),
        (AccuracyRecord, {"training": {"weights_accuracy": 1.5}}, "a share of 1.5 is not between"),
        (AccuracyRecord, {"training": {"test_samples": 0}}, "of 0 test samples"),
        (AccuracyRecord, {"training": {"test_correct": 1}}, "is not 1 of 360 test samples"),
        (AccuracyRecord, {"training": {"bits_per_byte": 9.0}}, "9 bits are not a loss of"),
        (
            AccuracyRecord,
            {"training": {"token_accuracy": 0.5}},
            "a token accuracy of 0.5 is not the accuracy of",
        ),
        (AccuracyRecord, {"training": {"error_rate": 0.3}}, "goes with the score of this name"),
        (AccuracyRecord, {"training": {"score": "error_rate"}}, "goes with the score of this name"),
        (AccuracyRecord, {"training": {"validation_error_rates": [-0.1]}}, "rate is below 0"),
        (LineRecord, {"line": {"test_accuracy": 7.0}}, "SVM (RBF): a share of 7 is not between"),
        (MemoryRecord, {"process": -1}, "a process peak of -1 bytes is below the parameters' 0"),
        (
            ParityRecord,
            {"result": {"error": 1.0, "threshold": 1e-7}},
            "is called the same with an error of 1, above its threshold",
        ),
    ],
)
def test_a_number_that_cannot_be_is_refused(run, kind, changes, said):
    assert said in found(spoilt(run, kind, **changes))


def test_a_peak_below_the_parameters_is_implausible(run):
    tasks = {name: told | {"parameters": 1000} for name, told in run.manifest.tasks.items()}
    manifest = run.manifest.model_copy(update={"tasks": tasks})
    small = spoilt(replace(run, manifest=manifest), MemoryRecord, process=3999)
    assert "a process peak of 3999 bytes is below the parameters' 4000" in found(small)


def test_rates_far_over_the_ceiling_are_implausible(run):
    def with_cells(**changes):
        return _with(run, cells=[cell.model_copy(update=changes) for cell in run.summary.cells])

    assert "is at 300 % of the ceiling" in found(with_cells(of_ceiling=3.0))
    assert "is at 1e+20 FLOP/s" in found(with_cells(flops_per_second=1e20))


def test_a_ceiling_over_any_devices_is_implausible(run):
    ceiling = CeilingRecord(
        unit="ceilings",
        attempt="1",
        what="matmul",
        how="torch.mm",
        backend="torch",
        execution="eager",
        precision="float32",
        device="cpu",
        amount=10**12,
        step_seconds=[1e-9],
    )
    run.records.append(ceiling)
    assert "torch has a matmul ceiling of 1e+21 per second" in found(run)


@settings(max_examples=60)
@given(st.tuples(*[st.floats(-1e3, 1e3)] * 3))
def test_an_interval_is_around_its_value(whole, ends):
    low, value, high = ends
    step = {"low": low, "value": value, "high": high}
    cells = [
        cell.model_copy(update={"step_seconds": cell.step_seconds.model_copy(update=step)})
        if cell.step_seconds
        else cell
        for cell in whole.summary.cells
    ]
    ratio = {"low": low, "ratio": value, "high": high}
    comparisons = [one.model_copy(update=ratio) for one in whole.summary.comparisons]
    sound = 0 < low <= value <= high
    assert ("s is not around" in found(_with(whole, cells=cells))) == (not sound)
    assert ("is not around" in found(_with(whole, comparisons=comparisons))) == (not sound)


def test_a_speed_without_parity_is_refused(run):
    cells = [cell.model_copy(update={"parity": None}) for cell in run.summary.cells]
    assert "has no parity" in found(_with(run, cells=cells))


def test_a_summary_that_says_something_else_is_refused(run):
    file = run.path / "summary.json"
    stored = json.loads(file.read_text())
    stored["cells"][0]["step_seconds"] = {"value": 1.0, "low": 0.9, "high": 1.1}
    stored["cells"].pop()
    file.write_text(json.dumps(stored | {"id": "another"}))
    seal(run.path)
    said = found(session.read(run.path))
    assert "summary.json is of another" in said
    assert "summary.json has other cells" in said
    assert "torch eager float32: summary.json says 1 s where the records say 0.03" in said


@pytest.mark.parametrize(
    "said", [{"verdict": "FASTER"}, {"ratio": 9.0, "low": 8.9, "high": 9.1}], ids=str
)
def test_a_comparison_that_the_records_contradict_is_refused(run, said):
    file = run.path / "summary.json"
    stored = json.loads(file.read_text())
    (slower, *_) = [c for c in stored["comparisons"] if c["verdict"] == "SLOWER"]
    slower |= said
    file.write_text(json.dumps(stored))
    seal(run.path)
    told = "summary.json says .* where the records say .* \\(SLOWER\\)"
    assert re.search(told, found(session.read(run.path)))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 17])
def test_what_is_no_number_is_malformed(run, number):
    records = run.path / "records.jsonl"
    text = records.read_text().replace('"seconds":0.', f'"seconds":{number},"x":0.', 1)
    assert number in text
    records.write_text(text)
    seal_free = run.path / SEAL
    seal_free.unlink()
    assert "records.jsonl: line 1 was left out" in found(session.read(run.path))


@pytest.mark.parametrize("variable", ["USER", "HOME"])
def test_names_are_personal_but_in_a_label(stored, monkeypatch, variable):
    monkeypatch.setenv("HOME", "/home/other")
    monkeypatch.setenv("LOGNAME", "")
    monkeypatch.setenv(variable, "/home/annabel" if variable == "HOME" else "annabel")
    run = stored(command="tribench run --backend annabel", label=None)
    assert "manifest.json names 'annabel', which is personal" in found(run)
    shutil.rmtree(run.path)
    assert found(stored(command="tribench run --backend annabel", label="annabel's")) == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [("launch", "-1"), ("steps", "0"), ("steps", "true"), ("seconds", '"0.1"'), ("round", "2.5")],
)
def test_what_no_block_has_is_malformed_whatever_the_seal_says(run, field, value):
    records = run.path / "records.jsonl"
    text, times = re.subn(rf'"{field}":[\d.]+', f'"{field}":{value}', records.read_text(), count=1)
    assert times == 1
    records.write_text(text)
    seal(run.path)
    assert "records.jsonl: line " in found(session.read(run.path))


def test_a_block_stands_there_once(run):
    block = next(each for each in run.records if isinstance(each, BlockRecord))
    assert "2 blocks of " in found(replace(run, records=[*run.records, block]))


def test_a_summary_has_the_launches_of_the_records(run):
    cells = [
        cell.model_copy(update={"launch_seconds": cell.launch_seconds[:1]})
        for cell in run.summary.cells
    ]
    assert len(run.summary.cells[0].launch_seconds) > 1
    summary = run.summary.model_copy(update={"cells": cells})
    assert "launches, the records 1" in found(replace(run, summary=summary))


def test_a_link_is_not_copied(run, tmp_path):
    file = run.path / "summary.md"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert "summary.md is a link" in found(session.read(run.path))


def test_a_hosts_name_is_personal(stored, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "box-17.example.org")
    assert "names 'box-17.example.org'" in found(stored(command="tribench run box-17.example.org"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name)
def test_our_published_runs_may_stand_there(path):
    assert publish.foreign(path) == []
    assert publish.problems(session.read(path)) == []


def test_nothing_is_left_where_copying_fails(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(Exception, match="No space"):
        publish.publish(run, tmp_path / "published")
    assert not (tmp_path / "published" / run.manifest.id).exists()
    assert json.loads((run.path / "manifest.json").read_text())["complete"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return session.read(stored_sample(tmp_path_factory.mktemp("whole")))


def _with(run, **changes):
    return replace(run, summary=run.summary.model_copy(update=changes))
