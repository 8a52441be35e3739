"""The pages of a site that are about all runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from suite.analysis import words
from suite.analysis.comparable import machines
from suite.analysis.digest import Digest
from suite.report.page.comparison import render_chooser
from suite.report.page.frame import site_frame
from suite.report.page.page import templates
from suite.report.site.history import history_pages


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the index. ``digest`` is None where ``why`` says that nothing could be read in
    ``folder``; ``machine`` numbers those whose times can be compared.
    """

    folder: str
    digest: Digest | None = None
    why: str = ""
    machine: int | None = None


def pages(
    digests: Sequence[Digest], unreadable: Sequence[Row], plotly: str
) -> Iterator[tuple[str, str]]:
    """Names and texts of all that the runs share. What could not be read is before all others in
    the index, then the newest is first.
    """
    ordered = sorted(digests, key=lambda run: (run.created, run.id))
    numbers = machines([run.environment for run in ordered])
    oldest_first = list(zip(ordered, numbers, strict=True))
    newest_first = oldest_first[::-1]
    yield "index.html", _index(newest_first, unreadable)
    yield "compare.html", render_chooser(newest_first)
    yield from history_pages(oldest_first, plotly)


def _index(runs: Sequence[tuple[Digest, int]], unreadable: Sequence[Row]) -> str:
    names = {str(number): words.machine(run.environment) for run, number in runs}
    return (
        templates()
        .get_template("site.html")
        .render(
            rows=[*unreadable, *(Row(folder=r.id, digest=r, machine=n) for r, n in runs)],
            machines=sorted(names.items(), key=lambda pair: pair[1]),
            devices=_choices({device for run, _ in runs for device in run.devices}),
            tasks=_choices({task for run, _ in runs for task in run.timed_tasks}),
            versions=_choices({version for run, _ in runs for version in run.versions}),
            **site_frame(("text", "theme", "state", "rows", "index")),
        )
    )


def _choices(values: set[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(values)]
