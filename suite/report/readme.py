"""The README's table of results, from a published run: ``python -m suite.report.readme RUN
README.md`` writes it between the README's two markers. The first marker names the run's folder.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from suite.analysis import words
from suite.analysis.summary import WRONG
from suite.files import write_whole
from suite.records.run import Run
from suite.report.headlines import Arm, Group, groups
from suite.report.metrics import COMPARISON, SETTING
from suite.report.page.page import templates
from suite.store import recovery

PUBLISHED = "results/published"
BEGIN, END = "<!-- results:begin {} -->", "<!-- results:end -->"
BLOCK = re.compile(r"<!-- results:begin (\S+) -->\n.*?<!-- results:end -->", re.DOTALL)
LIBRARIES = ("python", "numpy")  # which every installation has beside its framework
HOW = "Milliseconds a step with the 95 % interval. Bold: no other arm is faster, beyond chance."
UNRANKED = "†: no rank, since the machine was disturbed or parity failed."


def table(run: Run) -> str:
    """What was measured, in which run, and a row per comparison with a column per arm."""
    cells = run.summary.cells
    timed = [cell for cell in cells if cell.step_seconds and not cell.is_twin]
    measured = list(dict.fromkeys(cell.arm for cell in timed))
    settings = list(dict.fromkeys((cell.precision, cell.device) for cell in cells))
    launches = sorted({cell.launches for cell in timed}) or [0]
    rows = [(group.arms[0], _times(group, measured)) for group in groups(run.summary)]
    unranked = any("†" in time for _, times in rows for time in times)
    versions = {
        name: version
        for backend in run.environment.backends.values()
        for name, version in backend.items()
        if name not in LIBRARIES
    }
    template = templates().overlay(autoescape=False).get_template("readme.md")
    return template.render(
        run=run,
        folder=f"{PUBLISHED}/{run.manifest.id}",
        columns=[*COMPARISON, *(SETTING if len(settings) > 1 else [])],
        measured=measured,
        settings=settings,
        launches=dict.fromkeys((launches[0], launches[-1])),
        versions=versions,
        rows=rows,
        notes=[HOW, UNRANKED] if unranked else [HOW],
    )


def filled(readme: str, run: Run) -> str:
    """The README with this run's table; ValueError if it lacks the markers."""
    begin = BEGIN.format(f"{PUBLISHED}/{run.summary.id}")
    text, count = BLOCK.subn(lambda _: f"{begin}\n{table(run)}\n{END}", readme)
    if count != 1:
        raise ValueError(f"{count} pairs of {BEGIN.format('FOLDER')} and {END}; there must be one")
    return text


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
    run = recovery.read(folder)
    if run.damage:
        raise ValueError(f"{folder} is damaged: {'; '.join(run.damage)}")
    return run


def main(folder: Path, readme: Path) -> None:
    """Write the run's table into the README."""
    write_whole(readme, filled(readme.read_text(encoding="utf-8"), read(folder)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
