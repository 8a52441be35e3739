"""Two runs side by side: what is compared, and how rarely unchanged ones are told apart."""

from __future__ import annotations

from io import StringIO
from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from suite import session
from suite.compare.comparable import differences
from suite.compare.runs import compare, regressions
from suite.compare.unpaired import FLOOR, changes, launches
from suite.measure.statistics import holm
from suite.report.compare_page import render_comparison
from suite.report.compare_table import show_comparison
from suite.store.schema import BlockRecord
from tests.sample_run import hostile_run, sample_run

TRIALS = 400


@pytest.fixture(scope="module")
def run():
    return sample_run(Path("run"))


def changed(run, factor: float, chosen=lambda cell: True, **environment):
    """The run with the blocks of some cells so many times as long, on another machine."""
    records = [
        record.model_copy(update={"seconds": record.seconds * factor})
        if isinstance(record, BlockRecord) and chosen(record.cell)
        else record
        for record in run.records
    ]
    machine = run.environment.model_copy(update=environment)
    return type(run)(
        path=run.path,
        manifest=run.manifest,
        environment=machine,
        records=records,
        summary=run.summary,
    )


def test_a_run_and_itself_do_not_differ(run):
    found = compare(run, run)
    assert found.comparable
    assert found.differences == []
    assert found.common == 1
    assert not regressions(found)
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
    assert all(change.verdict is None for change in found.changes)
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


def paired(logs):
    """Of (runs, cells, launches)."""
    return [
        tuple(launches(list(np.exp(run[cell]))) for run in logs) for cell in range(logs.shape[1])
    ]


@pytest.mark.parametrize("cells", [2, 6, 18, 60])
@pytest.mark.parametrize("launched", [3, 5])
def test_unchanged_runs_rarely_show_a_regression(cells, launched):
    """Machines that are slower as a whole in one run, and unevenly so."""
    rng = np.random.default_rng(cells)
    wrong = 0
    for _ in range(TRIALS):
        times = rng.normal(0, 0.02, (2, cells, launched))  # launches
        times += rng.normal(0, 0.1, (2, 1, 1))  # the machine in each run
        times += rng.normal(0, FLOOR / 2**0.5, (2, cells, 1))  # what hits a cell in a run
        pairs = [
            (launches(list(np.exp(a))), launches(list(np.exp(b))))
            for a, b in zip(*times, strict=True)
        ]
        adjusted = holm([change.p_value for change in changes(pairs)[1]])
        wrong += min(adjusted) < 0.035
    assert wrong / TRIALS <= 0.05 + 2 * (0.05 * 0.95 / TRIALS) ** 0.5


def test_real_pairs_of_unchanged_runs_show_none():
    """The trial of verdicts, whose 20 runs measured the same one after another: 10 pairs."""
    folder = Path(__file__).parents[2] / "results/trials/verdicts"
    runs = [session.read(path) for path in sorted(folder.glob("2026*"))]
    assert len(runs) == 20
    for base, new in pairs(runs):
        found = compare(base, new)
        assert found.comparable
        assert len(found.changes) == 3
        assert {change.verdict for change in found.changes} <= {"EQUIVALENT", "INCONCLUSIVE"}


def pairs(runs):
    return zip(runs[::2], runs[1::2], strict=True)


def test_a_large_regression_is_found_on_an_uneven_machine():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(TRIALS):
        times = rng.normal(0, 0.02, (2, 18, 5)) + rng.normal(0, FLOOR / 2**0.5, (2, 18, 1))
        times[1, 3] += log(1.5)
        pairs = [
            (launches(list(np.exp(a))), launches(list(np.exp(b))))
            for a, b in zip(*times, strict=True)
        ]
        adjusted = holm([change.p_value for change in changes(pairs)[1]])
        found += adjusted[3] < 0.035 and min(adjusted) == adjusted[3]
    assert found / TRIALS > 0.9


def test_one_launch_has_no_interval_of_its_own_but_the_runs_have():
    (change,) = changes([(launches([1.0]), launches([1.02]))])[1]
    assert change.ratio.low < 1 < change.ratio.high
    with pytest.raises(ValueError, match="no launches"):
        launches([])
    assert launches([exp(1)]).mean == pytest.approx(1)


def test_the_table_shows_what_there_is_and_nothing_acts(run, tmp_path):
    hostile = hostile_run(tmp_path)
    for other in (hostile, changed(hostile, 1.5), changed(hostile, 1.5, cpu="\x1b[31mred")):
        stream = StringIO()
        show_comparison(compare(hostile, other), Console(file=stream, width=160))
        assert "\x1b" not in stream.getvalue()
    assert "NOT COMPARABLE: the runs differ in cpu" in stream.getvalue()
    page = render_comparison(compare(hostile, changed(hostile, 1.5)))
    assert "<script>window" not in page
    assert "<img" not in page
