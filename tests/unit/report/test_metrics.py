"""The metrics of a cell with their intervals."""

from __future__ import annotations

import pytest

from suite.records.run import Run
from suite.records.schema import CellSummary
from suite.report.headlines import groups
from suite.report.metrics import ARM, COMPARISON, METRICS, RESULTS, SETTING, available, results

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

    def test_bits_of_a_language_model_have_no_interval_and_its_accuracy_none_either(
        self, run: Run
    ) -> None:
        cell = next(cell for cell in run.summary.cells if cell.accuracy is not None)
        told = cell.model_copy(update={"bits_per_byte": 2.5})
        assert BY_KEY["bits_per_byte"].value(told) == (2.5,)
        assert BY_KEY["accuracy"].value(told) == (100 * (cell.accuracy or 0),)
        tokens = cell.model_copy(update={"token_accuracy": 0.5})
        assert BY_KEY["token_accuracy"].value(tokens) == (50.0,)
        assert BY_KEY["accuracy"].value(tokens) == (100 * (cell.accuracy or 0),)
        assert (BY_KEY["token_accuracy"].apart, BY_KEY["token_accuracy"].margin) == ("points", 1.0)
        bits, shares = BY_KEY["bits_per_byte"], BY_KEY["accuracy"]
        assert (bits.apart, bits.margin) == ("bits", 0.02)
        assert (shares.apart, shares.margin) == ("points", 2.0)


class TestColumns:
    def test_results_keep_their_heads_and_their_order(self) -> None:
        assert [column.head for column in (*COMPARISON, *SETTING, *ARM)] == [
            *("task", "phase", "batch", "precision", "device", "backend", "execution")
        ]
        assert [column.head for column in RESULTS] == [
            *("samples/s", "tokens/s", "ms/step", "GFLOP/s", "of ceiling"),
            *("ms/step fed", "CPU ms/step"),
            *("mJ/sample", "latency p50 ms", "latency p99 ms", "compile s", "pays after steps"),
            *("live MiB", "reserved MiB", "process MiB", "planned MiB", "device MiB"),
            *(
                "test accuracy",
                "bits/byte",
                "token accuracy",
                "error rate",
                "parity",
                "tier",
                "status",
            ),
        ]

    def test_metrics_keep_their_order_on_the_page(self) -> None:
        assert [metric.key for metric in METRICS] == [
            *("throughput", "tokens", "step", "flops", "ceiling", "fed", "cpu", "energy"),
            *("p50", "p90", "p99", "compile", "pays"),
            *("process", "live", "reserved", "planned", "device"),
            *("accuracy", "bits_per_byte", "token_accuracy", "error_rate"),
        ]

    def test_a_column_has_a_text_and_a_value_where_the_cell_has_one(self, run: Run) -> None:
        arms = [arm for group in groups(run.summary) for arm in group.arms]
        assert any(arm.cell.status != "ok" for arm in arms)
        for metric in METRICS:
            for arm in arms:
                value = metric.value(arm.cell)
                assert (metric.raw(arm) is None) == (value is None) == (metric.text(arm) == "n/a")
                if value is not None:
                    assert value[0] == pytest.approx(metric.scale * metric.raw(arm))

    def test_a_narrow_terminal_has_fewer_columns_and_none_that_is_empty(self, run: Run) -> None:
        cells = [
            cell.model_copy(update={"flops_per_second": 2e9, "cpu_seconds": 0.5})
            for cell in run.summary.cells
        ]
        summary = run.summary.model_copy(update={"cells": cells})
        arms = [arm for group in groups(summary) for arm in group.arms]

        def added(room: float) -> set[str]:
            usual = {"samples/s", "ms/step", "compile s", "live MiB", "process MiB"}
            usual |= {"test accuracy", "parity", "tier", "status"}
            heads = {column.head for column in results(arms, room)}
            assert usual <= heads
            return heads - usual

        assert added(100) == set()
        assert added(120) == {"GFLOP/s"}
        assert added(180) == {"GFLOP/s", "CPU ms/step"}
