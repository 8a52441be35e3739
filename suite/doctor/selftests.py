"""What was measured beside what is known. Pure: any measurement can be judged."""

from __future__ import annotations

from collections.abc import Sequence

from suite.analysis.statistics import estimate
from suite.doctor.answer import Answer, judged
from suite.doctor.known import ALLOCATED_BYTES, STEP_SECONDS
from suite.records.schema import CellSummary, FailureRecord, MemoryRecord
from tasks.spec import LSTM, Attention, Conv2d, Input, Layer, Linear, ModelSpec

TIME_WITHIN = 0.01
LEAST_LATE = 1e-4  # the metronome never ends early
EXACT = 1e-9  # of what is only multiplied and divided
MEMORY_WITHIN = 0.02
BATCH = 8
FEATURES, CLASSES = 64, 10

MODEL = ModelSpec(
    name="known",
    input=Input(shape=(FEATURES,)),
    layers=(("fc", Linear(in_features=FEATURES, out_features=CLASSES)),),
)
STEP_FLOPS = {"train": 3 * 8 * 2 * 64 * 10, "infer": 8 * 2 * 64 * 10}  # of BATCH samples, by hand

BY_HAND: tuple[tuple[str, Layer, tuple[int, ...], int], ...] = (
    ("linear 64 to 10", Linear(in_features=64, out_features=10), (64,), 1_280),
    (
        "convolution 3 to 8, 3 × 3, of 10 × 10",  # 8 · 8 · 8 outputs of 27 multiply-adds
        Conv2d(in_channels=3, out_channels=8, kernel_size=3),
        (3, 10, 10),
        27_648,
    ),
    (
        "strided, padded convolution 4 to 6, 5 × 5, of 9 × 9",  # 6 · 5 · 5 outputs of 100
        Conv2d(in_channels=4, out_channels=6, kernel_size=5, stride=2, padding=2),
        (4, 9, 9),
        30_000,
    ),
    (
        "LSTM 10 to 8, 3 steps",  # 3 steps of 4 gates of 8 units with 18 inputs
        LSTM(input_size=10, hidden_size=8, num_layers=1),
        (3, 10),
        3_456,
    ),
    (
        "attention of width 8, 2 heads, 6 tokens",  # 4 projections of 6 · 8 · 8, 2 times 6 · 6 · 8
        Attention(width=8, heads=2),
        (6, 8),
        4_224,
    ),
)


Account = Sequence[Sequence[float]]  # seconds of a step, by launch and block


def step(cell: CellSummary, account: Account, failures: Sequence[FailureRecord] = ()) -> Answer:
    """A step's time, against the account that the program itself kept of the same blocks. That it
    may be longer than it was set to is the machine's doing: a core that is taken comes back late.
    Shorter it cannot be.
    """
    name = f"known sleep, {cell.phase}"
    if cell.step_seconds is None or not any(account):
        return _not_measured(name, failures, cell.reason)
    told, true = cell.step_seconds.value, estimate(account).value
    off, late = told / true - 1, true / STEP_SECONDS - 1
    right = abs(off) <= TIME_WITHIN and late >= -LEAST_LATE
    return judged(
        name,
        right and late <= TIME_WITHIN,
        f"A step set to {1000 * STEP_SECONDS:g} ms took {1000 * true:.3f} ms by its own "
        f"account and is measured as {1000 * told:.3f} ms ({100 * off:+.2f} %, allowed "
        f"±{100 * TIME_WITHIN:g} %).",
        "The machine was late, not tribench: stop what else uses the processor."
        if right
        else "Report a bug.",
        {"set": STEP_SECONDS, "account": true, "measured": told, "allowed": TIME_WITHIN},
        "warning" if right else "fail",
    )


def rate(cell: CellSummary, failures: Sequence[FailureRecord] = ()) -> Answer:
    """Samples and operations a second: what is known of a step over its measured time."""
    name = f"known rates, {cell.phase}"
    if cell.flops_per_second is None or cell.samples_per_second is None or not cell.step_seconds:
        return _not_measured(name, failures, cell.reason)
    seconds = cell.step_seconds.value
    known = {"operations": STEP_FLOPS[cell.phase], "samples": BATCH}
    counted = {
        "operations": cell.flops_per_second * seconds,
        "samples": cell.samples_per_second * seconds,
    }
    parts = [f"{counted[what]:,.6g} {what} (known: {true:,})" for what, true in known.items()]
    return judged(
        name,
        all(abs(counted[what] / true - 1) <= EXACT for what, true in known.items()),
        f"What is told by the second comes to {' and '.join(parts)} a step.",
        "Report a bug.",
        dict(counted),
        "fail",
    )


def operations(
    counted: Sequence[tuple[str, Layer, tuple[int, ...], int]] = BY_HAND,
) -> Answer:
    """What the specs count, against numbers found by hand: exactly."""
    wrong = [
        f"{what}: {found:,} in place of {true:,}"
        for what, layer, shape, true in counted
        if (found := layer.flops(shape)) != true
    ]
    names = ", ".join(what for what, *_ in counted)
    return judged(
        "known operations",
        not wrong,
        f"Counted otherwise than by hand: {'; '.join(wrong)}."
        if wrong
        else f"Counted as by hand, exactly: {names}.",
        "Report a bug in tasks/spec.",
        {"layers": len(counted), "wrong": len(wrong)},
        "fail",
    )


def memory(records: Sequence[MemoryRecord], failures: Sequence[FailureRecord]) -> Answer:
    """The peaks of a process that allocates a known amount."""
    name = "known allocation"
    if not records:
        return _not_measured(name, failures, None)
    found = records[0]
    if found.process is None:
        finding = "The system has no /proc/self/status, so no process peak can be had."
        return Answer(name, "warning", finding, "Measure memory on Linux.")
    off = found.process / ALLOCATED_BYTES - 1
    live = found.live == ALLOCATED_BYTES
    kept = "" if live else f" The live peak that the program told, {ALLOCATED_BYTES}, was lost."
    return judged(
        name,
        live and abs(off) <= MEMORY_WITHIN,
        f"{ALLOCATED_BYTES >> 20} MiB, written to and given back, are measured as a "
        f"process peak of {found.process / 2**20:.1f} MiB ({100 * off:+.2f} %, allowed "
        f"±{100 * MEMORY_WITHIN:g} %).{kept}",
        "Look whether the memory is free and not swapped; else a bug.",
        {
            "expected": ALLOCATED_BYTES,
            "measured": found.process,
            "live": found.live,
            "allowed": MEMORY_WITHIN,
        },
        "fail",
    )


def _not_measured(name: str, failures: Sequence[FailureRecord], reason: str | None) -> Answer:
    why = failures[0].reason if failures else reason or "no record of it"
    return Answer(name, "fail", f"It could not be measured: {why}.", "See what the worker printed.")
