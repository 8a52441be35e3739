"""The comparison of two runs as a page that needs no network; of any two of a site's, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from suite.analysis import comparable, unpaired
from suite.analysis.digest import Digest, cell_of
from suite.analysis.statistics import AT_LEVEL
from suite.records.schema import Cell, RunComparison
from suite.report.page.page import SITE, frame, templates
from suite.report.page.snippets import embedded
from suite.report.terminal.comparison import headline, interval

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
        changes=found.changes,
        interval=interval,
        comparison=embedded(found.model_dump(mode="json", by_alias=True)),
    )


def render_chooser(runs: Sequence[tuple[Digest, int]]) -> str:
    """The page on which a reader chooses two of these runs, newest first, each with the number of
    its machine. The browser compares them.
    """
    known = [{"id": run.id, "name": run.name} for run, _ in runs]
    return _render(
        title="Compare two runs",
        site=embedded({"runs": known, "pair": newest_pair(runs), "constants": CONSTANTS}),
        headline=None,
        runs=[run for run, _ in runs],
    )


def newest_pair(runs: Sequence[tuple[Digest, int]]) -> list[str] | None:
    """The newest run that has an older one on its machine with a cell of the same work, and that
    one before it; else the newest on one machine, or the newest at all.
    """
    work = [_work(run) for run, _ in runs]
    pairs = [(new, old) for new in range(len(runs)) for old in range(new + 1, len(runs))]
    alike = [(new, old) for new, old in pairs if runs[new][1] == runs[old][1]]
    shared = (pair for pair in alike if work[pair[0]] & work[pair[1]])
    found = next(shared, next(iter(alike or pairs), None))
    return None if found is None else [runs[number][0].id for number in reversed(found)]


def _work(run: Digest) -> set[tuple[Cell, tuple[tuple[str, str], ...]]]:
    """What it has measured: cells, each with what makes its task's work the same."""
    return {
        (cell_of(cell), tuple(sorted(run.tasks.get(cell.task, {}).items())))
        for cell in run.cells
        if cell.logs is not None
    }


def _render(**values: Any) -> str:
    template = templates().get_template("compare.html")
    return template.render(**values, **frame(SCRIPTS, "", SITE))
