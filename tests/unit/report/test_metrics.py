"""The metrics of a cell with their intervals."""

from __future__ import annotations

import pytest

from suite.records.run import Run
from suite.records.schema import CellSummary
from suite.report.metrics import METRICS, available

BY_KEY = {metric.key: metric for metric in METRICS}


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
