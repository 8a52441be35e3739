"""The comparison of two runs as a page that needs no network."""

from __future__ import annotations

from suite.report.compare_table import headline
from suite.report.page import frame, ratio_bar, ratio_span, templates
from suite.store.schema import Interval, RunComparison


def render_comparison(found: RunComparison) -> str:
    """The page as HTML."""
    span = ratio_span([(change.low, change.high) for change in found.changes])
    bars = [ratio_bar(c.ratio, c.low, c.high, found.delta, span) for c in found.changes]
    return (
        templates()
        .get_template("compare.html")
        .render(
            found=found,
            headline=headline(found),
            common=Interval(value=found.common, low=found.common_low, high=found.common_high),
            bars=bars,
            styles={},
            measured=[],
            **frame(),
        )
    )
