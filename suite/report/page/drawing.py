"""What every figure is drawn with: frames, rows, markers, safe labels.

Text that comes from outside is escaped before plotly gets it, because plotly reads a few HTML tags
in every label. Colours of text and grid are the page's to set, in light and dark.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.analysis import words
from suite.report.page.styles import Style

ROW_PIXELS, FRAME_PIXELS = 46, 70
LONGEST_LABEL = 28

Mark = tuple[float, tuple[float, float, float], str]  # row, (value, low, high), hover text


@dataclass(frozen=True)
class Plot:
    """What plotly's script draws: traces and a layout, as plotly.js's reference names them. Not a
    plotly.graph_objects.Figure: with its checks of every property the page of a standard run took
    1.16 s of CPU time, without 0.10 s.
    """

    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)

    def add(self, **trace: Any) -> None:
        """A trace, of points unless ``type`` says otherwise."""
        self.data.append({"type": "scatter", **trace})

    def axis(self, name: str, **settings: Any) -> None:
        """Set something of ``x`` or ``y``."""
        self.layout.setdefault(f"{name}axis", {}).update(settings)

    def segment(self, x: float, y0: float, y1: float, **settings: Any) -> None:
        """A vertical line, which stretches no axis."""
        shape = {"type": "line", "x0": x, "x1": x, "y0": y0, "y1": y1, **settings}
        self.layout.setdefault("shapes", []).append(shape)

    def drawn(self) -> dict[str, Any]:
        """As plotly's script takes it."""
        return vars(self)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A plotly figure, what to read from it, and its data as a table. Where it is of one ``task``,
    ``arms`` tells whose each of its traces is, so that filters can hide it.
    """

    name: str
    title: str
    caption: str
    plot: Plot
    heads: list[str]
    rows: list[list[str]]
    task: str = ""
    arms: list[tuple[str, str] | None] = field(default_factory=list)


def label(text: str, most: int = LONGEST_LABEL) -> str:
    """A name as plotly's labels may have it: short, and with nothing that it takes for markup."""
    text = words.plain(text)
    return html.escape(text if len(text) <= most else f"{text[: most - 1]}…")


def frame(x_title: str, y_title: str = "", height: int = 260) -> Plot:
    """An empty plot."""
    plot = Plot(
        layout={
            "height": height,
            "showlegend": False,
            "margin": {"l": 10, "r": 14, "t": 10, "b": 10},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "hovermode": "closest",
        }
    )
    plot.axis("x", title={"text": x_title, "standoff": 8}, automargin=True, zeroline=False)
    plot.axis("y", title={"text": y_title, "standoff": 6}, automargin=True, zeroline=False)
    return plot


def rows_frame(names: Sequence[str], x_title: str, **x_axis: Any) -> Plot:
    """An empty plot with a named row for each of ``names``, the first on top."""
    plot = frame(x_title, height=FRAME_PIXELS + ROW_PIXELS * len(names))
    plot.axis("x", **x_axis)
    plot.axis(
        "y", tickvals=list(range(len(names))), ticktext=list(names), range=[len(names) - 0.5, -0.5]
    )
    return plot


def beside(row: int, position: int, amount: int) -> float:
    """Where in its row a marker stands, so that its neighbours stay visible."""
    return row + (position - (amount - 1) / 2) * min(0.22, 0.7 / max(amount, 1))


def marks(points: Sequence[Mark], style: Style) -> dict[str, Any]:
    """The trace of markers with horizontal intervals."""
    values, lows, highs = zip(*(interval for _, interval, _ in points), strict=True)
    return {
        "x": values,
        "y": [row for row, _, _ in points],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, high in zip(values, highs, strict=True)],
            "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
            "thickness": 2,
            "width": 4,
        },
        "mode": "markers",
        "marker": marker(style),
        "hovertext": [text for _, _, text in points],
        "hoverinfo": "text",
    }


def marker(style: Style, size: int = 10) -> dict[str, Any]:
    """A marker in an arm's style."""
    line = {"width": 2 if "open" in style.symbol else 0, "color": style.colour}
    return {"color": style.colour, "symbol": style.symbol, "size": size, "line": line}
