"""The comparison of two runs as a page that needs no network; of any two of a site's, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from suite.analysis import comparable, unpaired, words
from suite.analysis.digest import Digest
from suite.analysis.statistics import AT_LEVEL
from suite.records.schema import CellChange, Interval, RunComparison
from suite.report.page.frame import site_frame
from suite.report.page.page import templates
from suite.report.page.snippets import embedded
from suite.report.terminal.comparison import headline

SCRIPTS = ("text", "theme", "state", "rows", "load", "student", "unpaired", "compare")
CONSTANTS: dict[str, Any] = {  # what scripts/unpaired.js takes from Python
    **{name: getattr(unpaired, name) for name in ("FLOOR", "ALONE", "ENOUGH", "NORMAL")},
    **{name: getattr(comparable, name) for name in ("MACHINE", "NEARLY")},
    "AT_LEVEL": AT_LEVEL,
}


def render_comparison(found: RunComparison) -> str:
    """The page of one comparison as HTML."""
    return _render(
        title=f"{found.base} → {found.new}",
        site=None,
        headline=headline(found),
        names=json.dumps({"base": found.base, "new": found.new}),
        rows=[_row(change) for change in found.changes],
        comparison=embedded(found.model_dump(mode="json", by_alias=True)),
    )


def render_chooser(runs: Sequence[tuple[Digest, int]]) -> str:
    """The page on which a reader chooses two of these runs, newest first, each with the number of
    its machine. The browser compares them.
    """
    known = [{"id": run.id, "name": run.name, "machine": machine} for run, machine in runs]
    titles = [
        f"{words.moment(run.created)} {run.name} · {words.machine(run.environment)}"
        for run, _ in runs
    ]
    return _render(
        title="Compare two runs",
        site=embedded({"runs": known, "constants": CONSTANTS}),
        headline=None,
        runs=[{"id": run.id, "title": title} for (run, _), title in zip(runs, titles, strict=True)],
    )


def _row(change: CellChange) -> list[str]:
    """A cell where no script runs."""
    interval = Interval(value=change.ratio, low=change.low, high=change.high)
    return [
        f"{change.task} {change.phase} ×{change.batch_size}",
        f"{change.backend} {change.execution}",
        words.times(interval),
        f"{change.verdict or 'no verdict'}{f' ({change.reason})' if change.reason else ''}",
    ]


def _render(**values: Any) -> str:
    template = templates().get_template("compare.html")
    return template.render(**values, **site_frame(SCRIPTS))
