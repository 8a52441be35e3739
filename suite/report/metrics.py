"""What the page of a run can show of a cell, one metric at a time: unit, direction, interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from suite.analysis import words
from suite.records.schema import CellSummary

# With its 95 % interval, or without: there may be none, or one that determines nothing.
Value = tuple[float, float, float] | tuple[float]

PEAK = "Peak of a fresh process per cell"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """``judged`` names what the run's verdicts say of it: of the ``time`` of a step, of a ``rate``,
    which is its inverse, of ``learning``; of anything else they say nothing.
    """

    key: str
    name: str
    unit: str
    better: Literal["higher", "lower"]
    note: str
    value: Callable[[CellSummary], Value | None]
    judged: Literal["time", "rate", "learning", ""] = ""


def available(cells: Sequence[CellSummary]) -> list[Metric]:
    """The metrics that at least one of these cells has; the first always."""
    return [
        metric
        for metric in METRICS
        if metric is METRICS[0] or any(metric.value(cell) is not None for cell in cells)
    ]


def _step(cell: CellSummary) -> Value | None:
    step = cell.step_seconds
    if step is None or not words.determined(step, cell.launches):
        return None if step is None else (1000 * step.value,)
    return (1000 * step.value, 1000 * step.low, 1000 * step.high)


def _inverse(scale: Callable[[CellSummary], float | None], cell: CellSummary) -> Value | None:
    """``scale`` is the value, which has the interval of a step's time upside down."""
    value, step = scale(cell), cell.step_seconds
    if value is None or step is None or not words.determined(step, cell.launches):
        return None if value is None else (value,)
    return (value, value * step.value / step.high, value * step.value / step.low)


def _alone(
    scale: float, number: Callable[[CellSummary], float | None], cell: CellSummary
) -> Value | None:
    value = number(cell)
    return None if value is None else (scale * value,)


def _latency(name: str, cell: CellSummary) -> float | None:
    return None if cell.latency is None else float(getattr(cell.latency, name))


def _memory(kind: str, cell: CellSummary) -> float | None:
    size: int | None = getattr(cell.memory, kind)
    return size


def _accuracy(cell: CellSummary) -> Value | None:
    if cell.accuracy is None or not cell.test_samples:
        return None if cell.accuracy is None else (100 * cell.accuracy,)
    found = words.wilson(cell.accuracy, cell.test_samples)
    return (100 * found.value, 100 * found.low, 100 * found.high)


METRICS: tuple[Metric, ...] = (
    Metric(
        key="throughput",
        name="Throughput",
        unit="samples/s",
        better="higher",
        note="Samples in a batch over the time of a step. The batch lies on the device.",
        value=partial(_inverse, lambda cell: cell.samples_per_second),
        judged="rate",
    ),
    Metric(
        key="step",
        name="Step time",
        unit="ms",
        better="lower",
        note="Typical time of a step over fresh starts of all workers.",
        value=_step,
        judged="time",
    ),
    Metric(
        key="flops",
        name="FLOP/s",
        unit="GFLOP/s",
        better="higher",
        note="Two operations per multiply-add, a step of training as three forward passes.",
        value=partial(_inverse, lambda cell: cell.flops_per_second and cell.flops_per_second / 1e9),
        judged="rate",
    ),
    Metric(
        key="ceiling",
        name="Share of the ceiling",
        unit="%",
        better="higher",
        note="FLOP/s as a share of the best matrix product that the run saw on the device.",
        value=partial(_inverse, lambda cell: cell.of_ceiling and 100 * cell.of_ceiling),
        judged="rate",
    ),
    Metric(
        key="fed",
        name="Step with its way to the device",
        unit="ms",
        better="lower",
        note="Time of a step that has its batch put on the device first.",
        value=partial(_alone, 1e3, lambda cell: cell.fed_seconds),
    ),
    Metric(
        key="energy",
        name="Energy",
        unit="mJ/sample",
        better="lower",
        note="What the whole GPU takes while such steps run, by its own counter.",
        value=partial(_alone, 1e3, lambda cell: cell.joules_per_sample),
    ),
    *(
        Metric(
            key=name,
            name=f"Latency {name}",
            unit="ms",
            better="lower",
            note="Of single predictions, each waited for, over all launches.",
            value=partial(_alone, 1e3, partial(_latency, name)),
        )
        for name in ("p50", "p90", "p99")
    ),
    Metric(
        key="compile",
        name="Compile time",
        unit="s",
        better="lower",
        note="The first call, median over launches.",
        value=partial(_alone, 1, lambda cell: cell.compile_seconds),
    ),
    Metric(
        key="pays",
        name="Compiling pays after",
        unit="steps",
        better="lower",
        note="Steps after which compiling has made up for itself against the same backend's eager.",
        value=partial(_alone, 1, lambda cell: cell.break_even_steps),
    ),
    *(
        Metric(
            key=kind,
            name=f"Memory: {kind}",
            unit="MiB",
            better="lower",
            note=f"{PEAK}, {what}. Kinds of memory mean different things: compare like with like.",
            value=partial(_alone, 1 / words.MIBIBYTE, partial(_memory, kind)),
        )
        for kind, what in (
            ("process", "above the process's size after its imports"),
            ("live", "in tensors, as the framework counts"),
            ("reserved", "held by the framework, in use or not"),
            ("planned", "what the compiler set aside for a step, before it ran"),
            ("device", "of the GPU by NVML, the framework's context included"),
        )
    ),
    Metric(
        key="accuracy",
        name="Test accuracy",
        unit="%",
        better="higher",
        note="After training to the end, mean over seeds; the interval is what so few test "
        "samples leave open.",
        value=_accuracy,
        judged="learning",
    ),
)
