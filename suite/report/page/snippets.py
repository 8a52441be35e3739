"""Small pieces of HTML that a page has by the hundred. Functions and not a template's macros, which
took an eighth of the time that 300 runs' pages did.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log
from typing import Any

from markupsafe import Markup, escape
from pydantic_core import to_json

from suite.analysis import words
from suite.records.schema import ComparisonSummary, Interval
from suite.report.headlines import Arm, ends
from suite.report.metrics import Column
from suite.report.page.styles import Styles

NARROWEST_SPAN, WIDEST_SPAN = log(1.25), log(8)  # of the axis that ratios stand on


def badge(verdict: str | None) -> Markup:
    """A verdict in its colour."""
    told = words.spaced(verdict) if verdict else "no verdict"
    return Markup(f'<span class="badge {_kind(verdict)}">{escape(told)}</span>')


def mark(looks: Styles, arm: tuple[str, str]) -> Markup:
    """An arm's sign in its colour."""
    style = looks[arm]
    return Markup(
        f'<span class="mark" aria-hidden="true" style="color: {style.colour}">{style.glyph}</span>'
    )


def about(**told: object) -> Markup:
    """Attributes that say what a table's row is about, by the names of the page's filters."""
    return Markup("".join(f' data-{name}="{_safe(value)}"' for name, value in told.items()))


def fields(columns: Sequence[Column], looks: Styles, arm: Arm) -> Markup:
    """A row of the table of every number, which has thousands of fields."""
    return Markup("".join(_field(column, looks, arm) for column in columns))


def _field(column: Column, looks: Styles, arm: Arm) -> str:
    text = _safe(column.text(arm))
    if column.numeric:
        value = column.raw(arm)
        return f'<td class="number" data-value="{"" if value is None else value}">{text}</td>'
    if column.head == "backend":
        return f'<th scope="row" data-value="{text}">{mark(looks, arm.cell.arm)} {text}</th>'
    status = column.head == "status"
    if not status and (column.head != "parity" or text == words.NOT_AVAILABLE):
        return f'<td data-value="{text}">{text}</td>'
    why = arm.cell.reason if status else None
    reason = f' <small class="reason">{escape(why)}</small>' if why else ""
    worded = f'<span class="badge {text.replace(" ", "_")}">{text}</span>'
    return f'<td data-value="{text}">{worded}{reason}</td>'


def span(comparisons: Sequence[ComparisonSummary]) -> float:
    """How far the axis of their ratios reaches to each side of 1, as a logarithm."""
    return span_of([ratio for c in comparisons for ratio in (ends(c) or (c.ratio,))])


def span_of(ratios: Sequence[float]) -> float:
    """The same of any ratios."""
    reached = [1.05 * abs(log(ratio)) for ratio in ratios if ratio > 0]
    return min(max([NARROWEST_SPAN, *reached]), WIDEST_SPAN)


def axis(reach: float, found: ComparisonSummary) -> Markup:
    """A ratio with its interval on the logarithmic axis that all share, and 1 ± delta. The interval
    is nowhere where it determines nothing.
    """
    low, high = ends(found) or (found.ratio, found.ratio)
    interval = Interval(value=found.ratio, low=low, high=high)
    return on_axis(reach, interval, found.delta, _kind(found.verdict), words.ratio(found))


def on_axis(reach: float, ratio: Interval, delta: float, kind: str, told: str) -> Markup:
    """The same of any ratio; its text is what is ``told``, its colour that of its ``kind``."""

    def place(ratio: float) -> float:
        share = log(ratio) / reach if ratio > 0 else -1
        return round(50 + 50 * max(-1.0, min(1.0, share)), 2)

    value, low, high = place(ratio.value), place(ratio.low), place(ratio.high)
    band, width = place(1 - delta), place(1 + delta) - place(1 - delta)
    return Markup(
        f'<svg class="{escape(kind)}" role="img" aria-label="{escape(told)}">'
        f'<rect class="band" x="{band}%" width="{width:.2f}%" y="0" height="100%"/>'
        '<line class="one" x1="50%" x2="50%" y1="0" y2="100%"/>'
        f'<line class="interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>'
        f'<circle cx="{value}%" cy="50%" r="4"/></svg>'
    )


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
