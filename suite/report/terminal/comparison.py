"""The comparison of two runs in the terminal, and as a gate of continuous integration."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.analysis import words
from suite.analysis.compare import regressions
from suite.records.schema import CellChange, Interval, RunComparison

STYLES = {"FASTER": "green", "SLOWER": "red", "EQUIVALENT": "cyan"}


def show_comparison(found: RunComparison, console: Console) -> None:
    """The verdict in a line, what the machines differ by, then the cells."""
    console.print(Text(f"{words.plain(found.base)} → {words.plain(found.new)}", "bold"))
    console.print(Text(words.plain(headline(found)), "red" if not found.comparable else ""))
    common = Interval(value=found.common, low=found.common_low, high=found.common_high)
    if common.low < common.high:  # equal where no cell can be judged
        console.print(Text(f"All cells together: {words.times(common)} times as long"))
    if found.differences:
        console.print(Text("\nThe machines and the software", "bold"))
        for each in found.differences:
            line = f"{each.what}: {each.base} → {each.new}"
            style = "red" if each.matters else ""
            console.print(Padding(Text(words.plain(line), style), (0, 0, 0, 2)))
    if found.changes:
        console.print(
            Text("\nTime in NEW / time in BASE, unpaired, most significant first", "bold")
        )
        console.print(_changes(found.changes))
    _listed("Not judged; a gate (--fail-on-regression) stops here", found.unjudged, console, "red")
    _listed("Not compared", passing(found), console)
    _listed("To keep in mind", cautions(found), console)


def stops(found: RunComparison, allow_incomparable: bool = False) -> list[str]:
    """Why a gate ends with 1, a line each; none where all that BASE had was judged and nothing
    became slower. What is INCONCLUSIVE passes.
    """
    if not found.comparable and not allow_incomparable:
        return [headline(found)]
    slower = [
        f"{each.label}: SLOWER, {words.times(_interval(each))} times as long"
        for each in regressions(found)
    ]
    judged = [each for each in found.changes if each.verdict or not found.comparable]
    nothing = [] if judged else ["nothing is left to compare"]
    return [*slower, *found.unjudged, *nothing]


def passing(found: RunComparison) -> list[str]:
    """What was not compared, and need not be."""
    return [line for line in found.left_out if line not in found.unjudged]


def cautions(found: RunComparison) -> list[str]:
    """What is to be known of cells that were compared and does not stop a gate."""
    lines = [f"{each.label}: {each.reason}" for each in found.changes if each.reason]
    return [line for line in lines if line not in found.unjudged]


def headline(found: RunComparison) -> str:
    """How many became slower and faster, or why that is not said."""
    if not found.comparable:
        apart = [each.what for each in found.differences if each.matters]
        return f"NOT COMPARABLE: the runs differ in {words.listed(apart)}"
    more = f"; {len(found.unjudged)} not judged" if found.unjudged else ""
    if not found.changes:
        return f"Nothing was measured in both{more}"
    amounts = Counter(change.verdict for change in found.changes)
    return (
        f"{amounts['SLOWER']} slower, {amounts['FASTER']} faster, of "
        f"{words.count(len(found.changes), 'cell', 'cells')}; {amounts['EQUIVALENT']} equivalent, "
        f"{found.inconclusive} inconclusive{more}"
    )


def _changes(changes: list[CellChange]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for head in ("", "", "ratio (95 %)", "verdict", "launches"):
        table.add_column(head)
    for change in changes:
        said = change.verdict or "no verdict"
        table.add_row(
            Padding(
                Text(words.plain(f"{change.task} {change.phase} ×{change.batch_size}")),
                (0, 0, 0, 2),
            ),
            Text(words.plain(f"{change.backend} {change.execution}")),
            Text(words.times(_interval(change))),
            Text(said, STYLES.get(said, "")),
            Text(f"{change.launches[0]}, {change.launches[1]}"),
        )
    return table


def _interval(change: CellChange) -> Interval:
    return Interval(value=change.ratio, low=change.low, high=change.high)


def _listed(title: str, lines: list[str], console: Console, style: str = "") -> None:
    if lines:
        console.print(Text(f"\n{title}", "bold"))
    for line in lines:
        console.print(Padding(Text(words.plain(line), style), (0, 0, 0, 2)))
