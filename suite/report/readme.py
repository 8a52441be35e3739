"""The README's tables of results, from published runs: ``python -m suite.report.readme README.md``
writes each between its two markers. The first marker names the folders of its runs, one for
``results``, and a run for each model for ``models``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from suite.analysis import words
from suite.analysis.summary import WRONG
from suite.files import write_whole
from suite.records.run import Run
from suite.records.schema import CellSummary
from suite.report.headlines import Arm, Group, groups
from suite.report.metrics import COMPARISON, SETTING
from suite.report.page.page import templates
from suite.store import recovery

BLOCK = re.compile(r"<!-- (results|models):begin ([^>]+) -->\n.*?<!-- \1:end -->", re.DOTALL)
LIBRARIES = ("python", "numpy")  # which every installation has beside its framework
TIMES = "Milliseconds a step with the 95 % interval."
RATES = (
    "Images or tokens a second with the 95 % interval; the step's time over that of the quickest; "
    "the memory that a fresh process takes, and the share of the machine's best matrix product."
)
BOLD = "Bold: no other arm is faster, beyond chance."
UNRANKED = "†: no rank, since the machine was disturbed or parity failed."
FIXED = "\N{NO-BREAK SPACE}"

ArmKey = tuple[str, str]  # backend, execution
Show = Callable[[Arm, Group], str]


def times(runs: Sequence[Run]) -> str:
    """What was measured, in which run, and a row per comparison with the times of every arm."""
    return _table(runs, _time, TIMES)


def rates(runs: Sequence[Run]) -> str:
    """The same of models of real size: what people ask of them, beside the time."""
    return _table(runs, _rate, RATES)


TABLES: dict[str, Callable[[Sequence[Run]], str]] = {"results": times, "models": rates}


def filled(readme: str, read: Callable[[str], Run]) -> str:
    """The README with the tables of the runs that its markers name, as ``read`` tells them by their
    folders. ValueError if it has no markers.
    """

    def block(found: re.Match[str]) -> str:
        kind, folders = found[1], found[2]
        table = TABLES[kind]([read(folder) for folder in folders.split()])
        return f"<!-- {kind}:begin {folders} -->\n{table}\n<!-- {kind}:end -->"

    text, count = BLOCK.subn(block, readme)
    if not count:
        raise ValueError("no table: <!-- results:begin FOLDER --> and <!-- results:end --> are one")
    return text


def _table(runs: Sequence[Run], show: Show, how: str) -> str:
    cells = [cell for run in runs for cell in run.summary.cells]
    timed = [cell for cell in cells if cell.step_seconds and not cell.is_twin]
    measured = list(dict.fromkeys(cell.arm for cell in timed))
    settings = list(dict.fromkeys((cell.precision, cell.device) for cell in cells))
    launches = sorted({cell.launches for cell in timed}) or [0]
    found = [group for run in runs for group in groups(run.summary)]
    rows = [(group.arms[0], _shown(group, measured, show)) for group in found]
    unranked = any("†" in text for _, texts in rows for text in texts)
    template = templates().overlay(autoescape=False).get_template("readme.md")
    return template.render(
        runs=runs,
        machines=list(dict.fromkeys(words.machine(run.environment) for run in runs)),
        busy=list(filter(None, map(_busy, runs))),
        columns=[*COMPARISON, *(SETTING if len(settings) > 1 else [])],
        measured=measured,
        settings=settings,
        launches=dict.fromkeys((launches[0], launches[-1])),
        versions=dict(_versions(runs)),
        rows=rows,
        notes=[how, BOLD, UNRANKED] if unranked else [how, BOLD],
    )


def _busy(run: Run) -> str:
    """With the task where it is one of several."""
    told, tasks = words.busy(run.summary), [*run.manifest.tasks]
    return f"{tasks[0]}: {told}" if told and len(tasks) == 1 else told


def _versions(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    for run in runs:
        for backend in run.environment.backends.values():
            yield from (item for item in backend.items() if item[0] not in LIBRARIES)


def _shown(group: Group, columns: list[ArmKey], show: Show) -> list[str]:
    arms = {arm.cell.arm: arm for arm in group.arms}
    return [
        _ranked(arms[arm], group, show) if arm in arms else words.NOT_AVAILABLE for arm in columns
    ]


def _ranked(arm: Arm, group: Group, show: Show) -> str:
    """What is shown of a cell; the status alone where its time is not the task's."""
    cell = arm.cell
    if cell.step_seconds is None or cell.status in WRONG:
        return words.spaced(cell.status)
    first, *more = show(arm, group).split("\n")
    if arm.tier is None and group.comparisons:
        first = f"{first} †"
    elif arm.tier == 1 and group.order_is_shown:
        first = f"**{first}**"
    return "<br>".join([first, *more])


def _time(arm: Arm, group: Group) -> str:
    return f"{words.milliseconds(arm.cell.step_seconds)}{_width(arm.cell)}"


def _rate(arm: Arm, group: Group) -> str:
    """In three lines."""
    cell, quickest = arm.cell, next(each for each in group.arms if not each.cell.is_twin)
    per_second = words.number(cell.tokens_per_second or cell.samples_per_second)
    ratio = 1.0 if arm is quickest else group.ratio(arm, quickest)
    times = words.NOT_AVAILABLE if ratio is None else f"{ratio:.2f}{FIXED}times"
    memory = cell.memory.device or cell.memory.process
    size = words.NOT_AVAILABLE if memory is None else f"{memory / 2**30:.1f}{FIXED}GiB"
    share = words.share(cell.of_ceiling).replace(" ", FIXED)
    return f"{per_second}{_width(cell)}\n{times}\n{size}, {share}"


def _width(cell: CellSummary) -> str:
    """Half of the interval's, where it tells something."""
    if not words.determined(cell.step_seconds, cell.launches):
        return ""
    width = words.relative_half_width(cell.step_seconds)
    return "" if width is None else f" {words.half_width(width).replace(' ', FIXED)}"


def read(folder: Path) -> Run:
    """The run as its records tell it today; ValueError if it is damaged."""
    run = recovery.read(folder)
    if run.damage:
        raise ValueError(f"{folder} is damaged: {'; '.join(run.damage)}")
    return run


def main(readme: Path) -> None:
    """Write the tables into the README; the folders are beside it."""
    text = readme.read_text(encoding="utf-8")
    write_whole(readme, filled(text, lambda folder: read(readme.parent / folder)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
