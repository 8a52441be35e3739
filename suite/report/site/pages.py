"""The pages of a site that are about all runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suite.analysis import words
from suite.analysis.comparable import machines
from suite.analysis.digest import Digest
from suite.report.page.comparison import render_chooser
from suite.report.page.page import SITE, frame, templates
from suite.report.site.front import PHASES, fronts
from suite.report.site.history import history_pages

Unread = tuple[str, str]  # a folder, and why nothing could be read in it


def pages(
    digests: Sequence[Digest], unread: Sequence[Unread], plotly: str
) -> Iterator[tuple[str, str]]:
    """Names and texts of all that the runs share. What could not be read is before all others in
    the index, then the newest is first. Machines whose times can be compared have one number.
    """
    ordered = sorted(digests, key=lambda run: (run.created, run.id))
    numbers = machines([run.environment for run in ordered])
    oldest_first = list(zip(ordered, numbers, strict=True))
    newest_first = oldest_first[::-1]
    names = {str(number): words.machine(run.environment) for run, number in newest_first}
    found = fronts(newest_first)
    index = templates().get_template("site.html")
    yield (
        "index.html",
        index.render(
            fronts=found,
            shown=list(dict.fromkeys((front.machine, front.name) for front in found)),
            phases=PHASES,
            unread=unread,
            runs=newest_first,
            machines=sorted(names.items(), key=lambda pair: pair[1]),
            devices=sorted({device for run in digests for device in run.devices}),
            tasks=sorted({task for run in digests for task in run.timed_tasks}),
            versions=sorted({version for run in digests for version in run.versions}),
            **frame(("text", "theme", "state", "rows", "front", "index"), "", SITE),
        ),
    )
    yield "compare.html", render_chooser(newest_first)
    yield from history_pages(oldest_first, plotly)
