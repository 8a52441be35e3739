"""The self-tests, with measurements made up: each can go either way."""

from __future__ import annotations

import pytest

from suite.doctor import selftests
from suite.doctor.known import ALLOCATED_BYTES, STEP_SECONDS
from suite.records.schema import (
    CellMemory,
    CellSummary,
    Interval,
    MemoryRecord,
)
from tasks.spec import Linear
from tests.fixtures.doctor_answers import CELL, FAILURE


def summary(seconds=STEP_SECONDS, **changes):
    measured = seconds is not None
    values = {
        "status": "ok" if measured else "failed",
        "reason": None,
        "samples_per_second": selftests.BATCH / seconds if measured else None,
        "step_seconds": Interval(value=seconds, low=seconds, high=seconds) if measured else None,
        "launches": 3,
        "blocks": 18,
        "compile_seconds": None,
        "memory": CellMemory(live=None, reserved=None, process=None),
        "accuracy": None,
        "test_samples": None,
        "parity": None,
        "flops_per_second": selftests.STEP_FLOPS["train"] / seconds if measured else None,
    }
    return CellSummary(**CELL.model_dump(), **values | changes)


def account(seconds):
    return [[seconds] * 6] * 3


@pytest.mark.parametrize(
    ("measured", "took", "verdict"),
    [
        (0.01, 0.01, "pass"),
        (0.01009, 0.01, "pass"),
        (0.0102, 0.01, "fail"),  # tribench tells more than it took
        (0.0098, 0.01, "fail"),
        (0.02, 0.01, "fail"),  # as if steps were counted wrongly
        (0.0103, 0.0103, "warning"),  # it took that long: the machine's doing
        (0.0098, 0.0098, "fail"),  # a metronome that is early is none
    ],
)
def test_a_step_is_held_against_what_it_took(measured, took, verdict):
    assert selftests.step(summary(measured), account(took)).verdict == verdict


def test_what_was_not_measured_fails_with_the_reason():
    assert selftests.step(summary(None), [], [FAILURE]).verdict == "fail"
    assert "the worker died" in selftests.step(summary(None), [], [FAILURE]).finding
    assert selftests.step(summary(), []).verdict == "fail"
    assert selftests.rate(summary(None), [FAILURE]).verdict == "fail"
    assert selftests.memory([], [FAILURE]).verdict == "fail"


def test_rates_fit_the_step():
    assert selftests.rate(summary(0.0123)).verdict == "pass"
    third = selftests.STEP_FLOPS["train"] / 3 / STEP_SECONDS
    assert selftests.rate(summary(flops_per_second=third)).verdict == "fail"
    assert selftests.rate(summary(samples_per_second=801.0)).verdict == "fail"


def test_operations_are_counted_exactly():
    assert selftests.operations().verdict == "pass"
    layer = Linear(in_features=64, out_features=10)
    wrong = selftests.operations([("linear", layer, (64,), 1_281)])
    assert wrong.verdict == "fail"
    assert "linear: 1,280 in place of 1,281" in wrong.finding


@pytest.mark.parametrize(
    ("process", "live", "verdict"),
    [
        (ALLOCATED_BYTES, ALLOCATED_BYTES, "pass"),
        (int(1.019 * ALLOCATED_BYTES), ALLOCATED_BYTES, "pass"),
        (int(1.021 * ALLOCATED_BYTES), ALLOCATED_BYTES, "fail"),
        (ALLOCATED_BYTES // 2, ALLOCATED_BYTES, "fail"),
        (0, ALLOCATED_BYTES, "fail"),
        (ALLOCATED_BYTES, None, "fail"),
        (None, ALLOCATED_BYTES, "warning"),
    ],
)
def test_a_peak_is_held_against_what_was_allocated(process, live, verdict):
    record = MemoryRecord(
        unit="u", attempt="1", cell=CELL, live=live, reserved=None, process=process, baseline=1
    )
    assert selftests.memory([record], []).verdict == verdict
