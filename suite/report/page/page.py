"""A run as one page that needs no network: everything that it shows lies inside it."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from suite.analysis import words
from suite.analysis.digest import is_measured, measured
from suite.records.run import Run
from suite.records.schema import ParityResult, Summary
from suite.report.columns import ARM, COMPARISON, SETTING, results
from suite.report.headlines import groups
from suite.report.metrics import available
from suite.report.page.dashboard import shown_results, timed_samples
from suite.report.page.figures import arm_styles, figures
from suite.report.page.snippets import about, badge, embedded, fields, mark, pairs

ASSETS = Path(__file__).parents[1] / "assets"
TABS = [
    ("results", "Results"),
    ("figures", "Figures"),
    ("accuracy", "Accuracy"),
    ("parity", "Parity"),
    ("noise", "Noise"),
    ("gaps", "Gaps"),
    ("environment", "Environment"),
]
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
    sign = partial(mark, looks)
    gaps = sum(cell.status != "ok" for cell in cells) + len(summary.failures)
    return (
        templates()
        .get_template("page.html")
        .render(
            manifest=run.manifest,
            machine=run.environment,
            summary=summary,
            groups=found,
            columns=columns,
            fields=partial(fields, columns, sign),
            setting=setting,
            unmeasured=[cell for cell in cells if cell.status != "ok"],
            mark=sign,
            measured=list(dict.fromkeys(cell.arm for cell in summary.cells if is_measured(cell))),
            sections=figures(run),
            pairs=pairs(summary.comparisons),
            findings=_findings(run),
            notes=summary.notes,
            tabs=[(name, f"{title} ({gaps})" if name == "gaps" else title) for name, title in TABS],
            results=embedded(
                {**shown_results(run, found, available(cells), looks), "setting": setting}
            ),
            samples=embedded(timed_samples(run, found)),
            **frame(plotly_file, SCRIPTS),
        )
    )


def frame(
    plotly_file: str | None = None, scripts: Sequence[str] = ("text", "theme", "tables", "figures")
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
        "style": Markup((ASSETS / "page.css").read_text("utf-8")),
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


def _findings(run: Run) -> list[tuple[str, str, str]]:
    """What to know before reading on: (kind, title, sentence) each."""
    busy = words.busy(run.summary)
    machine = [("caution", "The machine was disturbed", busy)] if busy else []
    return [*machine, _sureness(run), _parity(run.summary.parity), _measured(run.summary)]


def _sureness(run: Run) -> tuple[str, str, str]:
    comparisons = run.summary.comparisons
    delta = f"Differences below {100 * run.manifest.delta:g} % count as none."
    if not comparisons:
        return ("caution", "Nothing was compared", "No two arms of a comparison were measured.")
    launches = min(comparison.launches for comparison in comparisons)
    if caution := words.first_look(launches):
        text = f"Fresh starts differ, and so few can't show by how much: repeat with more. {delta}"
        return ("caution", f"{caution[0].upper()}{caution[1:]}", text)
    text = f"Every interval is a 95 % interval over fresh starts of all backends. {delta}"
    return ("good", f"{launches} launches", text)


def _parity(asked: list[ParityResult]) -> tuple[str, str, str]:
    # What cannot run has computed nothing that could differ; it stands among the gaps.
    results = [r for r in asked if r.verdict not in ("not_supported", "not_available")]
    if not results:
        return ("caution", "Parity was not checked", "So no speed is ranked.")
    good = sum(result.passed for result in results)
    wrong = dict.fromkeys(
        f"{result.task} in {result.backend} ({words.spaced(result.verdict)})"
        for result in results
        if not result.passed
    )
    title = f"Parity: {good} of {len(results)} checks passed"
    if not wrong:
        return ("good", title, "All compute the same function, so their speeds can be compared.")
    return ("bad", title, f"Not passed, so not ranked: {words.listed(list(wrong))}.")


def _measured(summary: Summary) -> tuple[str, str, str]:
    title = f"{measured(summary.cells)} of {len(summary.cells)} cells measured"
    with_a_word = [cell for cell in summary.cells if cell.status != "ok"]
    if not with_a_word:
        return ("good", title, "Nothing is missing.")
    told = [
        f"{what}: {words.listed([f'{n} {words.spaced(status)}' for status, n in amounts.items()])}."
        for what, amounts in (
            ("The others", Counter(c.status for c in with_a_word if not is_measured(c))),
            ("Of those measured", Counter(c.status for c in with_a_word if is_measured(c))),
        )
        if amounts
    ]
    kind = "bad" if any(cell.status == "failed" for cell in with_a_word) else "caution"
    return (kind, title, f"{' '.join(told)} Each says why.")
