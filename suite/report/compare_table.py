"""The comparison of two runs in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.report import words
from suite.store.schema import CellChange, Interval, RunComparison

STYLES = {"FASTER": "green", "SLOWER": "red", "EQUIVALENT": "cyan"}


def show_comparison(found: RunComparison, console: Console) -> None:
    """The verdict in a line, what the machines differ by, then the cells."""
    console.print(Text(f"{words.plain(found.base)} → {words.plain(found.new)}", "bold"))
    console.print(Text(words.plain(headline(found)), "red" if not found.comparable else ""))
    common = Interval(value=found.common, low=found.common_low, high=found.common_high)
    if found.changes:
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
    if found.left_out:
        console.print(Text("\nNot compared", "bold"))
        for line in found.left_out:
            console.print(Padding(Text(words.plain(line)), (0, 0, 0, 2)))


def headline(found: RunComparison) -> str:
    """How many became slower and faster, or why that is not said."""
    if not found.comparable:
        apart = [each.what for each in found.differences if each.matters]
        return f"NOT COMPARABLE: the runs differ in {words.listed(apart)}"
    amounts = {v: sum(c.verdict == v for c in found.changes) for v in ("SLOWER", "FASTER")}
    if not found.changes:
        return "Nothing was measured in both"
    return (
        f"{amounts['SLOWER']} slower, {amounts['FASTER']} faster, of "
        f"{words.count(len(found.changes), 'cell', 'cells')}"
    )


def _changes(changes: list[CellChange]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for head in ("", "", "ratio (95 %)", "verdict", "launches"):
        table.add_column(head)
    for change in changes:
        interval = Interval(value=change.ratio, low=change.low, high=change.high)
        said = change.verdict or "no verdict"
        table.add_row(
            Padding(
                Text(words.plain(f"{change.task} {change.phase} ×{change.batch_size}")),
                (0, 0, 0, 2),
            ),
            Text(words.plain(f"{change.backend} {change.execution}")),
            Text(words.times(interval)),
            Text(said, STYLES.get(said, "")),
            Text(f"{change.launches[0]}, {change.launches[1]}"),
        )
    return table
