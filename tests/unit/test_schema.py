"""What every result carries, and that what was written once can be read for ever."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from suite import catalogue, session
from suite.plan import Choice, make
from suite.store import fingerprint, lines
from suite.store.directory import NewerError
from suite.store.repeat import command
from suite.store.schema import Environment
from suite.worker.adapters import Adapter
from suite.worker.discovery import Arm
from tests.sample_run import sample_run
from tests.stored_run import stored_sample

KEPT = sorted((Path(__file__).parents[1] / "kept").iterdir())
FIELDS = {  # what a result carries, and where: of records, their cells, the manifest, the machine
    "block": {"cell", "launch", "round", "position", "steps", "lead_in", "seconds", "noise"},
    "phase": {"cell", "launch", "samples", "steady", "facts", "seconds"},
    "task": {"spec", "data", "data_hash", "parameters", "flops"},
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
    with pytest.raises(NewerError, match=said):
        session.check(path)


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
        [Arm(name="numpy", interpreter="/x/python", adapter=numpy)], "cpu"
    )
    assert set(Environment.model_fields) >= FIELDS["environment"]
    assert found.backends == {"numpy": {"numpy": "2.0"}}
    assert found.allocator
    assert found.physical_cores is None or found.physical_cores <= found.cores
    assert (found.driver is None) == (found.gpus == [])
    assert "/x/" not in found.model_dump_json()


def test_every_result_carries_what_repeats_it(tmp_path):
    run = session.read(stored_sample(tmp_path))
    for record in run.records:
        if record.kind in FIELDS:
            assert FIELDS[record.kind] <= set(type(record).model_fields)
    assert all(cell.command for cell in run.summary.cells)


def test_a_cells_command_plans_that_cell():
    """The words of the command, as options of a run, plan the cell and no other."""
    run = sample_run(Path("run"))
    for cell in run.manifest.cells:
        words = shlex.split(command(run.manifest, cell))[2:]
        told = dict(zip(words[::2], words[1::2], strict=True))
        choice = Choice(
            tasks=(told["--task"],),
            phases=(told["--phase"],),
            backends=(told["--backend"],),
            executions=(told["--execution"],),
            precisions=(told["--precision"],),
            device=told["--device"],
            batch_sizes=(int(told["--batch-size"]),),
            launches=int(told["--launches"]),
            seeds=int(told["--seeds"]),
        )
        arms = [_arm("numpy"), _arm(cell.backend)]
        plan = make(choice, catalogue.tasks(), arms)
        assert [c for lane in plan.lanes for c in plan.cells(lane)] == [cell]


def test_a_cells_command_names_its_interpreter_and_no_path():
    manifest = sample_run(Path("run")).manifest.model_copy(
        update={"command": "tribench run --python torch@old=python3.9 --python jax=python"}
    )
    cell = next(cell for cell in manifest.cells if cell.backend == "torch@old")
    assert command(manifest, cell).endswith("--python torch@old=python3.9")


def _arm(name):
    adapter = Adapter(
        name=name.partition("@")[0],
        target="x:Y",
        precisions=("float64", "float32"),
        executions=("eager", "compiled"),
    )
    return Arm(name=name, interpreter="python", adapter=adapter)
