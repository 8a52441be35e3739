"""A run as one page that needs no network: everything that it shows lies inside it."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from suite.analysis import words, yardsticks
from suite.analysis.digest import is_measured
from suite.records.run import Run
from suite.records.schema import CellSummary
from suite.report.headlines import groups
from suite.report.metrics import ARM, COMPARISON, SETTING, available, results
from suite.report.page.dashboard import shown_results, timed_samples
from suite.report.page.figures import arm_styles, figures
from suite.report.page.snippets import about, axis, badge, embedded, fields, mark, span

ASSETS = Path(__file__).parents[1] / "assets"
SITE = ("page.css", "site.css")  # the styles of the pages of many runs
SCRIPTS = (
    *("text", "theme", "tables", "figures", "address", "results", "controls", "table"),
    *("drawing", "charts", "noise", "cell", "start"),
)


def render(run: Run, plotly_file: str | None = None) -> str:
    """The page as HTML; ``plotly_file`` is where it finds plotly's script if not in itself."""
    summary = run.summary
    found = groups(summary)
    arms = [arm for group in found for arm in group.arms]
    cells = [arm.cell for arm in arms]
    settings = {(cell.precision, cell.device) for cell in cells}
    setting = ", ".join(settings.pop()) if len(settings) == 1 else None
    columns = [*COMPARISON, *([] if setting else SETTING), *ARM, *results(arms)]
    looks = arm_styles(run)
    wrong = (
        f"{result.task} in {result.backend} ({words.spaced(result.verdict)})"
        for result in summary.parity
        if result.wrong
    )
    return (
        templates()
        .get_template("page.html")
        .render(
            manifest=run.manifest,
            machine=run.environment,
            summary=summary,
            groups=found,
            columns=columns,
            fields=partial(fields, columns, looks),
            setting=setting,
            unmeasured=[cell for cell in cells if cell.status != "ok"],
            mark=partial(mark, looks),
            measured=list(dict.fromkeys(cell.arm for cell in summary.cells if is_measured(cell))),
            sections=figures(run),
            axis=partial(axis, span(summary.comparisons)),
            published=yardsticks.beside(cells, run.environment.gpus),
            wrong=list(dict.fromkeys(wrong)),
            amounts=_amounts,
            results=embedded(
                {**shown_results(run, found, available(cells), looks), "setting": setting}
            ),
            samples=embedded(timed_samples(run, found)),
            **frame(SCRIPTS, plotly_file),
        )
    )


def frame(
    scripts: Sequence[str],
    plotly_file: str | None = None,
    styles: Sequence[str] = ("page.css",),
) -> dict[str, Any]:
    """What every page's frame is filled with: its style, its scripts, and leave for these alone.
    ``scripts`` are files in scripts/, which share one scope, in order; ``plotly_file`` is "" for a
    page without figures.
    """
    texts = [(ASSETS / "scripts" / f"{name}.js").read_text("utf-8") for name in scripts]
    script = "\n".join(['"use strict";', *texts])
    plotly = _plotly() if plotly_file is None else ""
    allowed = _source(plotly) if plotly else "'self'"
    return {
        "style": Markup("".join((ASSETS / name).read_text("utf-8") for name in styles)),
        "plotly": Markup(plotly),
        "plotly_file": plotly_file,
        "script": Markup(script),
        "script_sources": f"{allowed} {_source(script)}",
    }


@cache
def templates() -> Environment:
    """The pages' templates, escaping whatever is put into them."""
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "about": about,
        "badge": badge,
        "between": Markup("</td><td>"),  # joined with it, each field is escaped
    }
    environment.filters["embedded"] = embedded
    return environment


def _plotly() -> str:
    """plotly's script. Commands that make no page start without importing it."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _source(script: str) -> str:
    """What lets the browser run this script and no other."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _amounts(what: str, cells: Iterable[CellSummary]) -> str:
    """How many cells of each status, in a sentence; nothing where there is no cell."""
    statuses = Counter(words.spaced(cell.status) for cell in cells)
    told = words.listed([f"{amount} {status}" for status, amount in statuses.items()])
    return f"{what}: {told}. " if statuses else ""
