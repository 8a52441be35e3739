"""The comparison of two runs as a page that needs no network; of any two of a site's, too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from suite.analysis import comparable, unpaired
from suite.analysis.digest import Digest
from suite.analysis.statistics import AT_LEVEL
from suite.records.schema import RunComparison
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
    known = [{"id": run.id, "name": run.name, "machine": machine} for run, machine in runs]
    return _render(
        title="Compare two runs",
        site=embedded({"runs": known, "constants": CONSTANTS}),
        headline=None,
        runs=[run for run, _ in runs],
    )


def _render(**values: Any) -> str:
    template = templates().get_template("compare.html")
    return template.render(**values, **frame(SCRIPTS, "", SITE))
