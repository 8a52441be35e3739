"""The columns of the main table, the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from suite.analysis import words
from suite.report.headlines import Arm

WIDE, WIDEST = 120, 180  # characters of a terminal


@dataclass(frozen=True, kw_only=True)
class Column:
    """``value`` is what a column is sorted by; ``better`` says which direction is. An
    ``optional`` one is left out of the terminal and the page where no arm has it; ``room`` is how
    many characters wide a terminal must be for it.
    """

    head: str
    text: Callable[[Arm], str]
    value: Callable[[Arm], str | float | None]
    numeric: bool = True
    better: str = ""
    optional: bool = False
    room: int = 0


def _latency(name: str, arm: Arm) -> float | None:
    return None if arm.cell.latency is None else float(getattr(arm.cell.latency, name))


def _name(head: str, text: Callable[[Arm], str]) -> Column:
    return Column(head=head, text=text, value=text, numeric=False)


COMPARISON = [
    _name("task", lambda arm: arm.cell.task),
    _name("phase", lambda arm: arm.cell.phase),
    Column(
        head="batch",
        text=lambda arm: str(arm.cell.batch_size),
        value=lambda arm: arm.cell.batch_size,
    ),
]
SETTING = [
    _name("precision", lambda arm: arm.cell.precision),
    _name("device", lambda arm: arm.cell.device),
]
ARM = [
    _name("backend", lambda arm: arm.cell.backend),
    _name("execution", lambda arm: arm.cell.execution),
]
RESULTS = [
    Column(
        head="samples/s",
        text=lambda arm: words.rate(arm.cell),
        value=lambda arm: arm.cell.samples_per_second,
        better="higher",
    ),
    Column(
        head="ms/step",
        text=lambda arm: words.milliseconds(arm.cell.step_seconds),
        value=lambda arm: arm.cell.step_seconds.value if arm.cell.step_seconds else None,
        better="lower",
    ),
    Column(
        head="GFLOP/s",
        text=lambda arm: words.giga(arm.cell.flops_per_second),
        value=lambda arm: arm.cell.flops_per_second,
        better="higher",
        optional=True,
        room=WIDE,
    ),
    Column(
        head="of ceiling",
        text=lambda arm: words.share(arm.cell.of_ceiling),
        value=lambda arm: arm.cell.of_ceiling,
        better="higher",
        optional=True,
    ),
    Column(
        head="ms/step fed",
        text=lambda arm: words.in_milliseconds(arm.cell.fed_seconds),
        value=lambda arm: arm.cell.fed_seconds,
        better="lower",
        optional=True,
        room=WIDEST,
    ),
    Column(
        head="mJ/sample",
        text=lambda arm: words.in_thousandths(arm.cell.joules_per_sample),
        value=lambda arm: arm.cell.joules_per_sample,
        better="lower",
        optional=True,
        room=WIDEST,
    ),
    *(
        Column(
            head=f"latency {name} ms",
            text=partial(lambda name, arm: words.in_milliseconds(_latency(name, arm)), name),
            value=partial(_latency, name),
            better="lower",
            optional=True,
            room=WIDEST,
        )
        for name in ("p50", "p99")
    ),
    Column(
        head="compile s",
        text=lambda arm: words.number(arm.cell.compile_seconds),
        value=lambda arm: arm.cell.compile_seconds,
        better="lower",
    ),
    Column(
        head="pays after steps",
        text=lambda arm: words.whole(arm.cell.break_even_steps),
        value=lambda arm: arm.cell.break_even_steps,
        better="lower",
        optional=True,
        room=WIDEST,
    ),
    Column(
        head="live MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.live),
        value=lambda arm: arm.cell.memory.live,
        better="lower",
        optional=True,
    ),
    Column(
        head="reserved MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.reserved),
        value=lambda arm: arm.cell.memory.reserved,
        better="lower",
        optional=True,
    ),
    Column(
        head="process MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.process),
        value=lambda arm: arm.cell.memory.process,
        better="lower",
    ),
    Column(
        head="planned MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.planned),
        value=lambda arm: arm.cell.memory.planned,
        better="lower",
        optional=True,
        room=WIDEST,
    ),
    Column(
        head="device MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.device),
        value=lambda arm: arm.cell.memory.device,
        better="lower",
        optional=True,
        room=WIDEST,
    ),
    Column(
        head="test accuracy",
        text=lambda arm: words.accuracy(arm.cell),
        value=lambda arm: arm.cell.accuracy,
        better="higher",
    ),
    _name("parity", lambda arm: words.spaced(arm.cell.parity)),
    Column(
        head="tier",
        text=lambda arm: words.NOT_AVAILABLE if arm.tier is None else str(arm.tier),
        value=lambda arm: arm.tier,
        better="lower",
    ),
    _name("status", lambda arm: words.spaced(arm.cell.status)),
]


def results(arms: Sequence[Arm], room: float = inf) -> list[Column]:
    """The columns of results that these arms need and that there is room for."""
    return [
        column
        for column in RESULTS
        if column.room <= room
        and not (column.optional and all(column.value(arm) is None for arm in arms))
    ]
