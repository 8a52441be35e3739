"""The columns of the main table, the same in the terminal, in Markdown and on the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from suite.report import words
from suite.report.findings import Arm


@dataclass(frozen=True, kw_only=True)
class Column:
    """``value`` is what a column is sorted by; ``better`` says which direction is."""

    head: str
    text: Callable[[Arm], str]
    value: Callable[[Arm], str | float | None]
    numeric: bool = True
    better: str = ""


def details(arms: Iterable[Arm]) -> list[Column]:
    """Those of the details that any of these has."""
    found = list(arms)
    return [each for each in DETAILS if any(each.value(arm) is not None for arm in found)]


def _latency(arm: Arm, name: str) -> float | None:
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
DETAILS = [  # where there is room, and of what was measured
    Column(
        head="ms/step fed",
        text=lambda arm: words.in_milliseconds(arm.cell.fed_seconds),
        value=lambda arm: arm.cell.fed_seconds,
        better="lower",
    ),
    *(
        Column(
            head=f"latency {name} ms",
            text=partial(lambda name, arm: words.in_milliseconds(_latency(arm, name)), name),
            value=partial(lambda name, arm: _latency(arm, name), name),
            better="lower",
        )
        for name in ("p50", "p99")
    ),
    Column(
        head="compiling pays after steps",
        text=lambda arm: words.whole(arm.cell.break_even_steps),
        value=lambda arm: arm.cell.break_even_steps,
        better="lower",
    ),
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
        head="compile s",
        text=lambda arm: words.number(arm.cell.compile_seconds),
        value=lambda arm: arm.cell.compile_seconds,
        better="lower",
    ),
    Column(
        head="live MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.live),
        value=lambda arm: arm.cell.memory.live,
        better="lower",
    ),
    Column(
        head="reserved MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.reserved),
        value=lambda arm: arm.cell.memory.reserved,
        better="lower",
    ),
    Column(
        head="process MiB",
        text=lambda arm: words.mebibytes(arm.cell.memory.process),
        value=lambda arm: arm.cell.memory.process,
        better="lower",
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
