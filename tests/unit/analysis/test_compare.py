"""Two runs side by side: what is compared, and what is called another."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.analysis.comparable import differences
from suite.analysis.compare import compare, regressions
from suite.records.schema import BlockRecord
from tests.fixtures.changed_run import changed
from tests.fixtures.sample_run import sample_run
from tests.fixtures.study_runs import study_runs


@pytest.fixture(scope="module")
def run():
    return sample_run(Path("run"))


def test_a_run_and_itself_do_not_differ(run):
    found = compare(run, run)
    assert found.comparable
    assert found.differences == []
    assert found.common == 1
    assert not regressions(found)
    assert found.changes
    assert all(c.ratio == 1 and c.low < 1 < c.high for c in found.changes)


def test_one_slow_cell_is_a_regression_and_first(run):
    one = next(r.cell for r in run.records if isinstance(r, BlockRecord))
    found = compare(run, changed(run, 1.5, lambda cell: cell == one))
    (slow,) = regressions(found)
    assert found.changes[0] == slow
    assert (slow.task, slow.phase, slow.backend) == (one.task, one.phase, one.backend)
    assert slow.ratio == pytest.approx(1.5)
    assert slow.low <= 1.5 <= slow.high
    (fast,) = [
        c
        for c in compare(changed(run, 1.5, lambda c: c == one), run).changes
        if c.verdict == "FASTER"
    ]
    assert fast.ratio == pytest.approx(1 / 1.5)


def test_what_slows_everything_is_told_apart_from_a_regression(run):
    found = compare(run, changed(run, 1.3))
    assert found.common == pytest.approx(1.3)
    assert not regressions(found)


@pytest.mark.parametrize(
    "machine", [{"cpu": "another"}, {"cores": 64}, {"threads": 7}, {"settings": {"NPROC": "1"}}]
)
def test_other_machines_are_not_compared(run, machine):
    found = compare(run, changed(run, 2.0, **machine))
    assert not found.comparable
    assert [each for each in found.differences if each.matters]
    assert {change.verdict for change in found.changes} == {None}
    assert not regressions(found)


def test_other_versions_are_told_and_compared(run):
    backends = {name: told | {"numpy": "9"} for name, told in run.environment.backends.items()}
    found = compare(run, changed(run, 1.0, backends=backends))
    assert found.comparable
    assert {each.new for each in found.differences} == {"9"}


def test_a_little_other_memory_is_the_same_machine(run):
    size = run.environment.memory_bytes
    nearly = run.environment.model_copy(update={"memory_bytes": size - size // 1000})
    assert differences(run.environment, nearly) == []
    half = run.environment.model_copy(update={"memory_bytes": size // 2})
    assert [each.what for each in differences(run.environment, half)] == ["memory_bytes"]


def test_other_models_and_missing_cells_are_named(run):
    task = next(iter(run.manifest.tasks))
    tasks = run.manifest.tasks | {task: run.manifest.tasks[task] | {"spec": "another"}}
    cells = [cell for cell in run.manifest.cells if cell.backend != "jax"]
    other = type(run)(
        path=run.path,
        manifest=run.manifest.model_copy(update={"tasks": tasks, "cells": cells}),
        environment=run.environment,
        records=run.records,
        summary=run.summary,
    )
    found = compare(run, other)
    assert not {(c.task, c.backend) for c in found.changes} & {(task, "torch")}
    assert any("another model or recipe" in line for line in found.left_out)
    assert any("jax" in line and "only in BASE" in line for line in found.left_out)


def test_real_pairs_of_unchanged_runs_show_none():
    """The study of verdicts, whose 20 runs measured the same one after another: 10 pairs."""
    runs = study_runs("verdicts")
    assert len(runs) == 20
    for base, new in pairs(runs):
        found = compare(base, new)
        assert found.comparable
        assert len(found.changes) == 3
        assert {change.verdict for change in found.changes} <= {"EQUIVALENT", "INCONCLUSIVE"}


def pairs(runs):
    return zip(runs[::2], runs[1::2], strict=True)
