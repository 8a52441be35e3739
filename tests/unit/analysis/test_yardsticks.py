"""Published figures, and beside what they may stand."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suite.analysis.yardsticks import beside, yardsticks
from suite.plan import catalogue
from suite.plan.options import PHASES
from suite.records.run import Run
from suite.records.schema import CellSummary
from suite.report.page.page import render
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import on_gpu

H200 = ["NVIDIA H200, driver 570.86.15"]


@pytest.fixture(scope="module")
def run() -> Run:
    return sample_run(Path("run"))


@pytest.fixture(scope="module")
def cell(run: Run) -> CellSummary:
    """ResNet-50 in training, as an H200 might do it."""
    found: dict[str, Any] = {"task": "resnet50", "phase": "train", "device": "cuda"}
    found |= {"precision": "bfloat16", "batch_size": 256, "samples_per_second": 2800.0}
    measured = next(cell for cell in run.summary.cells if cell.samples_per_second)
    return measured.model_copy(update=found)


def test_each_is_of_a_task_that_there_is_and_has_a_source_and_a_day():
    tasks = catalogue.tasks()
    assert yardsticks()
    for one in yardsticks():
        assert one.model in tasks
        assert one.phase in PHASES
        assert one.precision in ("float32", "tf32", "bfloat16")
        assert one.value > 0
        assert one.source
        assert date.fromisoformat(one.read)


def test_it_stands_beside_the_same_model_phase_precision_and_device(cell: CellSummary):
    (found,) = beside([cell], H200)
    assert found.yardstick.value == 3079
    assert found.ratio == pytest.approx(2800 / 3079)


@pytest.mark.parametrize(
    "other",
    [
        {"task": "resnet50-v1"},
        {"phase": "infer"},
        {"precision": "float32"},
        {"device": "cpu"},
        {"samples_per_second": None},
    ],
)
def test_and_beside_nothing_else(cell: CellSummary, other: dict[str, Any]):
    assert not beside([cell.model_copy(update=other)], H200)


@pytest.mark.parametrize(
    ("gpus", "values"),
    [
        (["NVIDIA A100-SXM4-80GB, driver 535.1"], [2470, 2375, 1582]),
        (["NVIDIA A100-SXM4-40GB, driver 535.1"], [1582]),
        (["NVIDIA H100 80GB HBM3, driver 550.1"], [2792]),
        (["NVIDIA H100 PCIe, driver 550.1"], [1976]),
        (["NVIDIA H200, driver 1", "NVIDIA H200, driver 1"], [3079]),
        (["NVIDIA H200, driver 1", "NVIDIA L4, driver 1"], []),
        (["NVIDIA A10, driver 535.1"], []),
        ([], []),
    ],
)
def test_a_device_is_known_by_all_words_of_its_name(
    cell: CellSummary, gpus: list[str], values: list[float]
):
    assert [found.yardstick.value for found in beside([cell], gpus)] == values


def test_the_page_has_them_where_there_are_any(run: Run, cell: CellSummary):
    assert "Beside published figures" not in render(run)
    page = render(on_gpu(run, cell, H200))
    assert "Beside published figures" in page
    assert "3,079" in page
    assert "0.91" in page
