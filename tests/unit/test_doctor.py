"""Every answer of the doctor, with measurements and machines made up: each can go either way."""

from __future__ import annotations

import time
from dataclasses import replace
from math import exp

import numpy as np
import pytest
from rich.console import Console

from suite.doctor import aa, known, selftests
from suite.doctor.findings import LOOKS, findings
from suite.doctor.known import ALLOCATED_BYTES, STEP_SECONDS
from suite.doctor.machine import Machine, read
from suite.doctor.table import conclusion, show_answers
from suite.store.schema import (
    Cell,
    CellMemory,
    CellSummary,
    FailureRecord,
    Interval,
    MemoryRecord,
)
from suite.subject import bare
from suite.worker import adapters
from tasks.base import Batch
from tasks.parameters import initial
from tasks.spec import SGD, Linear

CELL = Cell(
    task="known",
    phase="train",
    backend="sleeper",
    execution="eager",
    precision="float32",
    device="cpu",
    batch_size=selftests.BATCH,
)
FAILURE = FailureRecord(
    unit="u", attempt="1", stage="timing", status="failed", reason="the worker died", cell=CELL
)
QUIET = Machine(
    cores=4,
    threads=4,
    governor="performance",
    turbo=False,
    load=0.1,
    pressure=0.0,
    steal=0.0,
    slow_cores=0.0,
    halt_poll_nanoseconds=200_000,
    memory_bytes=16 << 30,
    available_bytes=12 << 30,
    clock="tsc",
    clock_seconds=3e-8,
    throttle_count=0,
    celsius=40.0,
)


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


def test_aa_passes_inside_delta_alone_and_never_fails():
    quiet = [[exp(x)] * 6 for x in (0.001, -0.002, 0.003, 0.0, -0.001)]
    assert aa.answer("torch", "t", quiet, []).verdict == "pass"
    noisy = [[exp(x)] * 6 for x in (0.08, -0.07, 0.09, 0.0, -0.06)]
    found = aa.answer("torch", "t", noisy, [])
    assert found.verdict == "warning"
    assert "verdicts finer than that are noise" in found.finding
    one_sided = [[exp(0.2 + x)] * 6 for x in (0.001, -0.002, 0.003)]
    assert aa.answer("torch", "t", one_sided, []).verdict == "warning"
    wild = aa.answer("torch", "t", [[1.0], [190.0], [14.0]], []).finding
    assert "(not determined: launches differ 190-fold)" in wild
    assert "3: not known" in wild
    missing = aa.answer("torch", "t", quiet[:1], [FAILURE])
    assert missing.verdict == "warning"
    assert "the worker died" in missing.finding


def test_half_widths_are_those_that_so_many_launches_would_have():
    logs = np.random.default_rng(0).normal(0, 1, 5)
    logs = 0.02 * (logs - logs.mean()) / logs.std(ddof=1)
    found = aa.estimate([[exp(x)] for x in logs])
    widths = aa.half_widths(found, 5)
    assert widths[5] == pytest.approx(exp(3.1355 * 0.02 / 5**0.5) - 1, rel=1e-3)
    assert widths[16] == pytest.approx(exp(2.3178 * 0.02 / 4) - 1, rel=1e-3)
    assert sorted(widths.values(), reverse=True) == list(widths.values())


def test_nothing_is_wrong_with_a_quiet_machine():
    assert {answer.verdict for answer in findings(QUIET)} == {"pass"}
    assert len({answer.name for answer in findings(QUIET)}) == len(LOOKS)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"quota_cores": 1.5}, "cores"),
        ({"throttled_seconds": 0.2}, "cores"),
        ({"governor": "powersave"}, "frequency governor"),
        ({"turbo": True}, "turbo"),
        ({"busy": 0.3, "busiest": {"firefox": 0.9}}, "other processes"),
        ({"load": 3.0}, "load"),
        ({"pressure": 0.2}, "pressure"),
        ({"steal": 0.05}, "steal"),
        ({"slow_cores": 0.1}, "slow cores"),
        ({"halt_poll_nanoseconds": 0}, "idle cores"),
        ({"available_bytes": 1 << 30}, "memory"),
        ({"swapped_bytes": 1 << 30}, "memory"),
        ({"clock": "hpet"}, "clock"),
        ({"clock_seconds": 2e-6}, "clock"),
        ({"throttle_count": 3}, "heat"),
        ({"celsius": 97.0}, "heat"),
    ],
)
def test_what_spoils_measurements_is_found_with_a_remedy(changes, name):
    (found,) = [a for a in findings(replace(QUIET, **changes)) if a.verdict != "pass"]
    assert (found.name, found.verdict) == (name, "warning")
    assert found.remedy


def test_what_a_system_does_not_tell_is_no_fault_of_it():
    bare_machine = Machine(cores=1, threads=1, available_bytes=8 << 30)
    assert {answer.verdict for answer in findings(bare_machine)} == {"pass"}


def test_this_machine_can_be_read(monkeypatch):
    for name in ("OMP_SCHEDULE", "ONEDNN_MAX_CPU_ISA", "TF_TOKEN_x"):
        monkeypatch.setenv(name, "SSE41")
    monkeypatch.setattr("suite.doctor.machine.SECONDS", 0.1)
    monkeypatch.setattr("suite.doctor.machine.CORES_SECONDS", 0.2)
    found = read()
    assert found.threads >= 1
    assert found.memory_bytes >= found.available_bytes > 0
    assert 0 < found.clock_seconds < 1e-4
    assert 0 <= found.slow_cores < 1
    assert {"OMP_SCHEDULE", "ONEDNN_MAX_CPU_ISA"} <= {*found.dropped}
    (told,) = [each.finding for each in findings(found) if each.name == "environment variables"]
    assert "ONEDNN_MAX_CPU_ISA" in told
    assert "TOKEN" not in told
    assert f"{found.dropped_others} that only begin like them" in told


def test_the_conclusion_and_the_marks():
    good, bad = selftests.operations(), selftests.memory([], [FAILURE])
    noisy = findings(replace(QUIET, steal=0.5))
    assert conclusion({"a": [good]}).endswith("nothing on this machine was found to spoil it.")
    assert "1 self-test fails" in conclusion({"a": [good, bad], "b": noisy})
    assert "1 thing needs a look" in conclusion({"a": [good], "b": noisy})
    console = Console(width=100, record=True)
    show_answers({"Self-tests": [good, bad], "Machine": noisy}, console)
    text = console.export_text()
    assert all(sign in text for sign in "✓!✗")
    assert all(len(line) <= 100 for line in text.splitlines())


def program(kind):
    task = bare(selftests.MODEL, SGD(learning_rate=0.1), selftests.BATCH)
    adapter = adapters.load(f"suite.doctor.known:{kind}")
    return adapter(precision="float32").build(task, initial(task.model, 0))


def test_the_metronome_takes_what_it_is_set_to():
    sleeper, batch = program("Sleeper"), Batch(inputs=np.zeros((8, 64)), targets=np.zeros(8))
    sleeper.wait()
    began = time.perf_counter()
    for _ in range(5):
        sleeper.train_step(batch)
    took = time.perf_counter() - began
    sleeper.wait()
    ((steps, seconds),) = sleeper.account["train"]
    assert steps == 5
    assert 5 * STEP_SECONDS <= seconds <= took


def test_the_known_programs_are_no_backends():
    assert not [name for name in adapters.targets() if "known" in name]
    assert known.Sleeper.name not in adapters.targets()
    with pytest.raises(KeyError):
        adapters.load("sleeper")
