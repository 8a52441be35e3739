"""The generator of large runs writes what a run writes."""

from __future__ import annotations

import pytest

from suite import session
from suite.store.directory import read_records
from tests.large_run import large_run, seconds_of

WHEN = "2026-03-14T15:09:26+00:00"


def test_a_large_run_reads_back_whole_and_its_cells_take_what_was_said(tmp_path):
    path = large_run(
        tmp_path, id="r", created=WHEN, cells=30, factor=lambda c: 2.0 if c.backend == "jax" else 1
    )
    assert read_records(path)[1] == []
    run = session.read(path)
    assert [cell.status for cell in run.summary.cells] == ["ok"] * 30
    assert {cell.blocks for cell in run.summary.cells} == {30}
    for cell in run.summary.cells:
        times = cell.step_seconds.value / seconds_of(cell)
        assert times == pytest.approx(2.0 if cell.backend == "jax" else 1.0, rel=0.05)
        assert cell.parity == "same"
        assert cell.memory.process


def test_machines_and_versions_can_be_chosen(tmp_path):
    run = session.read(
        large_run(tmp_path, id="r", created=WHEN, cells=5, machine=1, versions={"torch": "2.12.0"})
    )
    assert run.environment.cores == 16
    assert run.environment.backends["torch"]["torch"] == "2.12.0"
    assert len(run.manifest.cells) == 5
