"""The README's table of results, from a published run: ``python -m suite.report.readme RUN
README.md`` writes it between the README's two markers. The first marker names the run's folder.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from suite.analysis import words
from suite.analysis.summary import WRONG, summarise
from suite.files import write_whole
from suite.records.run import Run
from suite.report.columns import COMPARISON, SETTING
from suite.report.headlines import Arm, Group, groups
from suite.store.recovery import salvage

PUBLISHED = "results/published"
BEGIN, END = "<!-- results:begin {} -->", "<!-- results:end -->"
BLOCK = re.compile(r"<!-- results:begin (\S+) -->\n.*?<!-- results:end -->", re.DOTALL)
LIBRARIES = ("python", "numpy")  # which every installation has beside its framework
HOW = "Milliseconds a step with the 95 % interval. Bold: no other arm is faster, beyond chance."
UNRANKED = "†: no rank, since the machine was disturbed or parity failed."


def table(run: Run) -> str:
    """What was measured, in which run, and a row per comparison with a column per arm."""
    found = groups(run.summary)
    cells = run.summary.cells
    measured = dict.fromkeys(c.arm for c in cells if c.step_seconds and not c.is_twin)
    settings = dict.fromkeys((c.precision, c.device) for c in cells)
    columns = [*COMPARISON, *(SETTING if len(settings) > 1 else [])]
    heads = [*(column.head for column in columns), *map("<br>".join, measured)]
    rules = ["---:" if column.numeric else "---" for column in columns] + ["---:"] * len(measured)
    rows = [
        [*(column.text(group.arms[0]) for column in columns), *_times(group, [*measured])]
        for group in found
    ]
    notes = [HOW, UNRANKED] if any("†" in text for row in rows for text in row) else [HOW]
    lines = [f"| {' | '.join(line)} |" for line in (heads, rules, *rows)]
    return "\n".join([_source(run, [*settings]), "", *lines, "", " ".join(notes)])


def filled(readme: str, run: Run) -> str:
    """The README with this run's table; ValueError if it lacks the markers."""
    begin = BEGIN.format(f"{PUBLISHED}/{run.summary.id}")
    text, count = BLOCK.subn(lambda _: f"{begin}\n{table(run)}\n{END}", readme)
    if count != 1:
        raise ValueError(f"{count} pairs of {BEGIN.format('FOLDER')} and {END}; there must be one")
    return text


def _source(run: Run, settings: list[tuple[str, str]]) -> str:
    """Which run it is, of which machine and versions."""
    told, manifest = run.environment, run.manifest
    versions = {
        name: version
        for backend in told.backends.values()
        for name, version in backend.items()
        if name not in LIBRARIES
    }
    launches = sorted({c.launches for c in run.summary.cells if c.step_seconds and not c.is_twin})
    counted = dict.fromkeys((launches[0], launches[-1])) if launches else [0]
    facts = [
        f"[Run {manifest.id}]({PUBLISHED}/{manifest.id}/summary.md) of {manifest.created[:10]}",
        f"profile {manifest.profile}",
        words.machine(told),
        *(" on ".join(setting) for setting in settings[:1] if len(settings) == 1),
        *(f"{name} {version}" for name, version in versions.items()),
        f"{' to '.join(map(str, counted))} launches",
    ]
    return " ".join(filter(None, [f"{', '.join(facts)}.", words.busy(run.summary)]))


def _times(group: Group, columns: list[tuple[str, str]]) -> list[str]:
    arms = {arm.cell.arm: arm for arm in group.arms}
    return [_time(arms[arm], group) if arm in arms else words.NOT_AVAILABLE for arm in columns]


def _time(arm: Arm, group: Group) -> str:
    """A step's time; the status alone where that time is not the task's."""
    cell = arm.cell
    if cell.step_seconds is None or cell.status in WRONG:
        return words.spaced(cell.status)
    told, width = words.milliseconds(cell.step_seconds), None
    if words.determined(cell.step_seconds, cell.launches):
        width = words.relative_half_width(cell.step_seconds)
    if width is not None:
        told += f" {words.half_width(width).replace(' ', chr(0xA0))}"
    if arm.tier is None and group.comparisons:
        return f"{told} †"
    return f"**{told}**" if arm.tier == 1 and group.order_is_shown else told


def read(folder: Path) -> Run:
    """The run as its records tell it today; ValueError if it is damaged."""
    found = salvage(folder)
    if found.damage:
        raise ValueError(f"{folder} is damaged: {'; '.join(found.damage)}")
    return Run(
        path=folder,
        manifest=found.manifest,
        environment=found.environment,
        records=found.records,
        summary=summarise(found.manifest, found.records, ()),
    )


def main(folder: Path, readme: Path) -> None:
    """Write the run's table into the README."""
    write_whole(readme, filled(readme.read_text(encoding="utf-8"), read(folder)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
