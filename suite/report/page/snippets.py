"""Small pieces of HTML that a page has by the hundred. Functions and not a template's macros, which
took an eighth of the time that 300 runs' pages did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import Any, NamedTuple

from markupsafe import Markup, escape
from pydantic_core import to_json

from suite.analysis import words
from suite.records.schema import ComparisonSummary, Interval
from suite.report.columns import Column
from suite.report.headlines import Arm
from suite.report.page.styles import Style

NARROWEST_SPAN, WIDEST_SPAN = log(1.25), log(8)  # of the axis that ratios stand on


def badge(verdict: str | None) -> Markup:
    """A verdict in its colour."""
    told = words.spaced(verdict) if verdict else "no verdict"
    return Markup(f'<span class="badge {_kind(verdict)}">{escape(told)}</span>')


def mark(styles: Mapping[tuple[str, str], Style], arm: tuple[str, str]) -> Markup:
    """An arm's sign in its colour."""
    style = styles[arm]
    return Markup(
        f'<span class="mark" aria-hidden="true" style="color: {style.colour}">{style.glyph}</span>'
    )


def about(**told: object) -> Markup:
    """Attributes that say what a table's row is about, by the names of the page's filters."""
    return Markup("".join(f' data-{name}="{_safe(value)}"' for name, value in told.items()))


def fields(
    columns: Sequence[Column], sign: Callable[[tuple[str, str]], Markup], arm: Arm
) -> Markup:
    """A row of the table of every number, which has thousands of fields."""
    return Markup("".join(_field(column, sign, arm) for column in columns))


def _field(column: Column, sign: Callable[[tuple[str, str]], Markup], arm: Arm) -> str:
    value, text = column.value(arm), _safe(column.text(arm))
    if column.numeric:
        return f'<td class="number" data-value="{"" if value is None else value}">{text}</td>'
    told = _safe("" if value is None else value)
    if column.head == "backend":
        return f'<th scope="row" data-value="{told}">{sign(arm.cell.arm)} {text}</th>'
    status = column.head == "status"
    if not status and (column.head != "parity" or value == words.NOT_AVAILABLE):
        return f'<td data-value="{told}">{text}</td>'
    why = arm.cell.reason if status else None
    reason = f' <small class="reason">{escape(why)}</small>' if why else ""
    worded = f'<span class="badge {told.replace(" ", "_")}">{told}</span>'
    return f'<td data-value="{told}">{worded}{reason}</td>'


class Pair(NamedTuple):
    """A comparison's row, ready to be put in."""

    about: Markup
    sentence: str
    ratio: str
    axis: Markup
    badge: Markup
    delta: str
    rests_on: str


def pairs(comparisons: Sequence[ComparisonSummary]) -> list[tuple[ComparisonSummary, Pair]]:
    """Every comparison with its row; a line parts those of other cells."""
    span = _span([_ends(c) for c in comparisons])
    before, rows = None, []
    for c in comparisons:
        told = {"task": c.task, "phase": c.phase, "batch": c.batch_size}
        place = {"precision": c.precision, "device": c.device}
        arms = {"backend": c.new.split(" ")[0], "other": c.base.split(" ")[0]}
        few = ", first look" if words.first_look(c.launches) else ""
        unpaired = "" if c.paired else ", unpaired"
        top = Markup("") if told == before else Markup(' class="top"')
        before = told
        pair = Pair(
            about=top + about(**told, **place, **arms),
            sentence=words.sentence(c),
            ratio=words.ratio(c),
            axis=_axis(c, span),
            badge=badge(c.verdict),
            delta=f"{100 * c.delta:g}",
            rests_on=f"{words.count(c.launches, 'launch', 'launches')}{unpaired}{few}",
        )
        rows.append((c, pair))
    return rows


def _axis(found: ComparisonSummary, span: float) -> Markup:
    """A ratio with its interval on the logarithmic axis that all share, and 1 ± delta."""

    def place(ratio: float) -> float:
        share = log(ratio) / span if ratio > 0 else -1
        return round(50 + 50 * max(-1.0, min(1.0, share)), 2)

    value, (low, high) = place(found.ratio), map(place, _ends(found))
    band, width = place(1 - found.delta), place(1 + found.delta) - place(1 - found.delta)
    told = f'role="img" aria-label="{escape(words.ratio(found))}"'
    return Markup(
        f'<svg class="{_kind(found.verdict)}" {told}>'
        f'<rect class="band" x="{band}%" width="{width:.2f}%" y="0" height="100%"/>'
        '<line class="one" x1="50%" x2="50%" y1="0" y2="100%"/>'
        f'<line class="interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>'
        f'<circle cx="{value}%" cy="50%" r="4"/></svg>'
    )


def _ends(found: ComparisonSummary) -> tuple[float, float]:
    """Where the ratio's interval is drawn from and to: nowhere where it determines nothing."""
    interval = Interval(value=found.ratio, low=found.low, high=found.high)
    if words.determined(interval, found.launches):
        return found.low, found.high
    return found.ratio, found.ratio


def _span(intervals: Sequence[tuple[float, float]]) -> float:
    """How far the axis of ratios reaches to each side of 1, as a logarithm."""
    reached = [abs(log(ratio)) for ends in intervals for ratio in ends if ratio > 0]
    return min(max([NARROWEST_SPAN, *(1.05 * each for each in reached)]), WIDEST_SPAN)


def embedded(data: Any) -> Markup:
    """JSON for a script element that no text within it can break out of. What is no number for
    JSON is null. By pydantic's writer: the standard library's took a tenth of a page's time.
    """
    return Markup(to_json(data, inf_nan_mode="null").decode().replace("<", "\\u003c"))


def _kind(verdict: str | None) -> Markup:
    return _safe((verdict or "none").lower())


@lru_cache(4096, typed=True)
def _safe(value: object) -> Markup:
    """Escaped; the same few words come again and again."""
    return escape(value)
