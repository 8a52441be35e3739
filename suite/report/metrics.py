"""The one table of metrics, and the columns of the main table, the same in the terminal, in
Markdown and on the page.

A new metric is a row of METRICS: the page of a run offers it, the main table has a column for it.
``cells.csv`` and ``cells.parquet`` have every field of the summary's cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from suite.analysis import words
from suite.analysis.scores import SCORES
from suite.records.schema import CellSummary
from suite.report.headlines import Arm
from tasks.base import Score

# With its 95 % interval, or without: there may be none, or one that determines nothing.
Value = tuple[float, float, float] | tuple[float]

WIDE, WIDEST = 120, 180  # characters of a terminal
PEAK = "Peak of a fresh process per cell"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the main table. ``field`` is where a cell has what the column is sorted by, as
    ``memory.live``; ``show`` makes its text, where the value alone would not do. ``better`` says
    which direction is. An ``optional`` one is left out of the terminal and the page where no arm
    has it; ``room`` is how many characters wide a terminal must be for it, and ``short`` is the
    head that brings the terminal's table to 100 columns.
    """

    head: str
    field: str
    show: Callable[[CellSummary], str] | None = None
    numeric: bool = False
    better: Literal["higher", "lower", ""] = ""
    optional: bool = False
    room: int = 0
    short: str = ""

    def raw(self, arm: Arm) -> Any:
        """What it is sorted by, in the summary's units."""
        return arm.tier if self.field == "tier" else _at(self.field, arm.cell)

    def text(self, arm: Arm) -> str:
        """As people read it."""
        if self.show is not None:
            return self.show(arm.cell)
        value = self.raw(arm)
        return words.NOT_AVAILABLE if value is None else self._worded(value)

    def _worded(self, value: Any) -> str:
        """A value that there is."""
        return str(value)


@dataclass(frozen=True, kw_only=True)
class Metric(Column):
    """What the page of a run can show of a cell: ``name`` and ``note`` stand there. ``scale``
    brings what the summary has into ``unit``. ``judged`` names what the run's verdicts say of it:
    of the ``time`` of a step, of a ``rate``, which is its inverse, of ``learning``; of anything
    else they say nothing. What is learnt differs by a number of ``apart``; within ``margin`` of
    them it is the same. Without a ``head`` it has no column.
    """

    key: str
    name: str
    unit: str
    note: str
    scale: float = 1
    judged: Literal["time", "rate", "learning", ""] = ""
    apart: str = ""
    margin: float = 0.0
    numeric: bool = True
    optional: bool = True

    def value(self, cell: CellSummary) -> Value | None:
        """In ``unit``; a rate has the interval of a step's time upside down."""
        found, step = _at(self.field, cell), cell.step_seconds
        if found is None:
            return None
        value = self.scale * found
        of_samples = cell.bits_per_byte is None and cell.token_accuracy is None
        if self.key == "accuracy" and cell.test_samples and of_samples:
            share = words.wilson(found, cell.test_samples)
            return (value, self.scale * share.low, self.scale * share.high)
        timed = self.judged in ("time", "rate")
        if not timed or step is None or not words.determined(step, cell.launches):
            return (value,)
        low, high = step.low / step.value, step.high / step.value
        if self.judged == "rate":
            low, high = 1 / high, 1 / low
        return (value, value * low, value * high)

    def _worded(self, value: float) -> str:
        """A value that there is, in ``unit``."""
        return words.number(self.scale * value)


def _at(path: str, found: Any) -> Any:
    """What stands there, None where the way to it ends."""
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    return found


def available(cells: Sequence[CellSummary]) -> list[Metric]:
    """The metrics that at least one of these cells has; the first always."""
    return [
        metric
        for metric in METRICS
        if metric is METRICS[0] or any(metric.value(cell) is not None for cell in cells)
    ]


def results(arms: Sequence[Arm], room: float = inf) -> list[Column]:
    """The columns of results that these arms need and that there is room for."""
    return [
        column
        for column in RESULTS
        if column.room <= room
        and not (column.optional and all(column.raw(arm) is None for arm in arms))
    ]


def _apart(name: Score) -> dict[str, Any]:
    """How cells differ in this score."""
    score = SCORES[name]
    return {"apart": score.apart, "margin": score.scale * score.margin}


METRICS: tuple[Metric, ...] = (
    Metric(
        key="throughput",
        field="samples_per_second",
        name="Throughput",
        unit="samples/s",
        better="higher",
        note="Samples in a batch over the time of a step. The batch lies on the device.",
        judged="rate",
        head="samples/s",
        show=words.rate,
        optional=False,
    ),
    Metric(
        key="tokens",
        field="tokens_per_second",
        name="Tokens",
        unit="tokens/s",
        better="higher",
        note="Tokens of a batch that get a result, padding too, over the time of a step.",
        judged="rate",
        head="tokens/s",
        room=WIDEST,
    ),
    Metric(
        key="step",
        field="step_seconds.value",
        name="Step time",
        unit="ms",
        scale=1e3,
        better="lower",
        note="Typical time of a step over fresh starts of all workers.",
        judged="time",
        head="ms/step",
        short="ms/\nstep",
        optional=False,
    ),
    Metric(
        key="flops",
        field="flops_per_second",
        name="FLOP/s",
        unit="GFLOP/s",
        scale=1e-9,
        better="higher",
        note="Two operations per multiply-add, a step of training as three forward passes.",
        judged="rate",
        head="GFLOP/s",
        short="GFLOP\n/s",
        room=WIDE,
    ),
    Metric(
        key="ceiling",
        field="of_ceiling",
        name="Share of the ceiling",
        unit="%",
        scale=100,
        better="higher",
        note="FLOP/s as a share of the best matrix product that the run saw on the device.",
        judged="rate",
        head="of ceiling",
        short="of\nceil.",
        show=lambda cell: words.share(cell.of_ceiling),
    ),
    Metric(
        key="fed",
        field="fed_seconds",
        name="Step with its way to the device",
        unit="ms",
        scale=1e3,
        better="lower",
        note="Time of a step that has its batch put on the device first.",
        head="ms/step fed",
        room=WIDEST,
    ),
    Metric(
        key="cpu",
        field="cpu_seconds",
        name="CPU time of a step",
        unit="ms",
        scale=1e3,
        better="lower",
        note="What a step takes of all cores together, median of the blocks that count.",
        head="CPU ms/step",
        room=WIDEST,
    ),
    Metric(
        key="energy",
        field="joules_per_sample",
        name="Energy",
        unit="mJ/sample",
        scale=1e3,
        better="lower",
        note="What the whole GPU takes while such steps run, by its own counter.",
        head="mJ/sample",
        room=WIDEST,
    ),
    *(
        Metric(
            key=name,
            field=f"latency.{name}",
            name=f"Latency {name}",
            unit="ms",
            scale=1e3,
            better="lower",
            note="Of single predictions, each waited for, over all launches.",
            head=head,
            room=WIDEST,
        )
        for name, head in (("p50", "latency p50 ms"), ("p90", ""), ("p99", "latency p99 ms"))
    ),
    Metric(
        key="compile",
        field="compile_seconds",
        name="Compile time",
        unit="s",
        better="lower",
        note="The first call, median over launches.",
        head="compile s",
        short="comp.\ns",
        optional=False,
    ),
    Metric(
        key="pays",
        field="break_even_steps",
        name="Compiling pays after",
        unit="steps",
        better="lower",
        note="Steps after which compiling has made up for itself against the same backend's eager.",
        head="pays after steps",
        show=lambda cell: words.whole(cell.break_even_steps),
        room=WIDEST,
    ),
    *(
        Metric(
            key=kind,
            field=f"memory.{kind}",
            name=f"Memory: {kind}",
            unit="MiB",
            scale=1 / words.MIBIBYTE,
            better="lower",
            note=f"{PEAK}, {what}. Kinds of memory mean different things: compare like with like.",
            head=f"{kind} MiB",
            short=short,
            optional=kind != "process",
            room=room,
        )
        for kind, short, room, what in (
            ("process", "proc.\nMiB", 0, "above the process's size after its imports"),
            ("live", "live\nMiB", 0, "in tensors, as the framework counts"),
            ("reserved", "resv.\nMiB", 0, "held by the framework, in use or not"),
            ("planned", "", WIDEST, "what the compiler set aside for a step, before it ran"),
            ("device", "", WIDEST, "of the GPU by NVML, the framework's context included"),
        )
    ),
    Metric(
        key="accuracy",
        field="accuracy",
        name="Test accuracy",
        unit="%",
        scale=100,
        better="higher",
        note="After training to the end, mean over seeds; the interval is what so few test "
        "samples leave open.",
        judged="learning",
        **_apart("accuracy"),
        head="test accuracy",
        short="test\naccuracy",
        show=words.accuracy,
        optional=False,
    ),
    Metric(
        key="bits_per_byte",
        field="bits_per_byte",
        name="Test bits per byte",
        unit="bits/byte",
        better="lower",
        note="Of language models after training to the end, mean over seeds: the cross-entropy "
        "over ln 2.",
        judged="learning",
        **_apart("bits_per_byte"),
        head="bits/byte",
        short="bits/\nbyte",
    ),
    Metric(
        key="token_accuracy",
        field="token_accuracy",
        name="Test token accuracy",
        unit="%",
        scale=100,
        better="higher",
        note="Of translations after training to the end, mean over seeds: the share of tokens that "
        "are guessed, each with the right ones before it given.",
        judged="learning",
        **_apart("token_accuracy"),
        head="token accuracy",
        short="token\naccuracy",
        show=lambda cell: words.percent(cell.token_accuracy),
    ),
    Metric(
        key="error_rate",
        field="error_rate",
        name="Test error rate",
        unit="%",
        scale=100,
        better="lower",
        note="With CTC after training to the end, mean over seeds: labels that must be put in, "
        "taken out or changed in what is read from the best path, as a share of those that are "
        "there.",
        judged="learning",
        **_apart("error_rate"),
        head="error rate",
        short="error\nrate",
        show=lambda cell: words.percent(cell.error_rate),
    ),
)

COMPARISON = [
    Column(head="task", field="task"),
    Column(head="phase", field="phase"),
    Column(head="batch", field="batch_size", numeric=True),
]
SETTING = [Column(head="precision", field="precision"), Column(head="device", field="device")]
ARM = [
    Column(head="backend", field="backend"),
    Column(head="execution", field="execution", short="exec"),
]
# Live and reserved memory stand before these in the table, and behind the process on the page.
BEHIND = (
    *("process", "planned", "device", "accuracy", "bits_per_byte", "token_accuracy", "error_rate"),
)
RESULTS: list[Column] = [
    *sorted((one for one in METRICS if one.head), key=lambda one: one.key in BEHIND),
    Column(head="parity", field="parity", show=lambda cell: words.spaced(cell.parity)),
    Column(head="tier", field="tier", numeric=True, better="lower"),
    Column(head="status", field="status", show=lambda cell: words.spaced(cell.status)),
]
