"""What the page of a run is drawn from: metrics with their intervals, samples, commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suite.report.dashboard import shown_results, timed_samples
from suite.report.figures import arm_styles
from suite.report.findings import groups
from suite.report.metrics import METRICS, available
from suite.store.run import Run
from suite.store.schema import BlockRecord, CellSummary
from tests.sample_run import sample_run

BY_KEY = {metric.key: metric for metric in METRICS}


@pytest.fixture(scope="module")
def run() -> Run:
    return sample_run(Path("run"))


def first_ok(run: Run) -> CellSummary:
    return next(cell for cell in run.summary.cells if cell.status == "ok")


class TestMetrics:
    def test_a_rate_has_the_interval_of_its_time_upside_down(self, run: Run) -> None:
        cell = first_ok(run)
        step, rate = BY_KEY["step"].value(cell), BY_KEY["throughput"].value(cell)
        assert step is not None
        assert rate is not None
        assert [1000 * cell.batch_size / each for each in step] == pytest.approx(
            [rate[0], rate[2], rate[1]]
        )
        assert rate[1] < rate[0] < rate[2]

    def test_what_is_not_available_is_no_number(self, run: Run) -> None:
        missing = next(cell for cell in run.summary.cells if cell.status == "failed")
        assert {metric.value(missing) for metric in METRICS} == {None}

    def test_only_metrics_that_a_cell_has_are_offered(self, run: Run) -> None:
        keys = [metric.key for metric in available(run.summary.cells)]
        assert keys == ["throughput", "step", "compile", "process", "live", "accuracy"]
        assert [metric.key for metric in available([])] == ["throughput"]

    def test_an_accuracy_tells_what_its_samples_leave_open(self, run: Run) -> None:
        cell = next(cell for cell in run.summary.cells if cell.accuracy is not None)
        found = BY_KEY["accuracy"].value(cell)
        assert found is not None
        assert len(found) == 3
        value, low, high = found
        assert value == pytest.approx(100 * (cell.accuracy or 0))
        assert 1 < high - low < 10  # of 360 samples


class TestData:
    def test_it_is_json_with_every_cell_and_pair(self, run: Run) -> None:
        found = groups(run.summary)
        told = shown_results(run, found, available(run.summary.cells), arm_styles(run))
        again = json.loads(json.dumps(told, allow_nan=False))
        assert len(again["cells"]) == len(run.summary.cells) == len(again["commands"])
        assert len({cell["id"] for cell in again["cells"]}) == len(again["cells"])
        pairs = [pair for group in again["groups"] for pair in group["pairs"]]
        assert len(pairs) == len(run.summary.comparisons)
        for cell in again["cells"]:
            assert again["groups"][cell["group"]]["task"] == cell["task"]

    def test_every_block_is_told_once_in_time_order(self, run: Run) -> None:
        found = groups(run.summary)
        told = timed_samples(run, found)
        arms = [arm for group in found for arm in group.arms]
        assert len(told) == len(arms)
        blocks = [record for record in run.records if isinstance(record, BlockRecord)]
        assert sum(len(each["blocks"]["at"]) for each in told) == len(blocks)
        for arm, each in zip(arms, told, strict=True):
            ours = [b for b in blocks if b.cell.comparison == arm.cell.comparison]
            ours.sort(key=lambda block: (block.launch, block.round, block.position))
            for at, ms in zip(each["blocks"]["at"], each["blocks"]["ms"], strict=True):
                assert ours[at].cell.arm == arm.cell.arm
                assert ms == pytest.approx(1000 * ours[at].seconds / ours[at].steps, rel=1e-5)
        assert told[0]["facts"] == {"layout": "channels-last"}
