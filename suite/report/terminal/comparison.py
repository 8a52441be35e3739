"""The comparison of two runs in the terminal, and as a gate of continuous integration."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.text import Text

from suite.analysis import words
from suite.analysis.compare import regressions
from suite.records.schema import CellChange, Interval, RunComparison
from suite.report.terminal.pieces import VERDICTS, grid, indented, part, plain


def show_comparison(found: RunComparison, console: Console) -> None:
    """The verdict in a line, what the machines differ by, then the cells."""
    console.print(plain(f"{found.base} → {found.new}", "bold"))
    console.print(plain(headline(found), "red" if not found.comparable else ""))
    common = Interval(value=found.common, low=found.common_low, high=found.common_high)
    if common.low < common.high:  # equal where no cell can be judged
        console.print(Text(f"All cells together: {words.times(common)} times as long"))
    if found.differences:
        console.print(Text("\nThe machines and the software", "bold"))
        for each in found.differences:
            line = f"{each.what}: {each.base} → {each.new}"
            console.print(indented(plain(line, "red" if each.matters else "")))
    if found.changes:
        console.print(
            Text("\nTime in NEW / time in BASE, unpaired, most significant first", "bold")
        )
        table = grid("", "", "ratio (95 %)", "verdict", "launches")
        for change in found.changes:
            said = change.verdict or "no verdict"
            table.add_row(
                indented(plain(f"{change.task} {change.phase} ×{change.batch_size}")),
                plain(f"{change.backend} {change.execution}"),
                Text(words.times(interval(change))),
                Text(said, VERDICTS.get(said, "")),
                Text(f"{change.launches[0]}, {change.launches[1]}"),
            )
        console.print(table)
    part("Not judged; a gate (--fail-on-regression) stops here", found.unjudged, console, "red")
    # What was not compared, and need not be.
    left_out = [line for line in found.left_out if line not in found.unjudged]
    part("Not compared", left_out, console)
    # What is to be known of cells that were compared, and does not stop a gate.
    cautions = [f"{each.label}: {each.reason}" for each in found.changes if each.reason]
    cautions = [line for line in cautions if line not in found.unjudged]
    part("To keep in mind", cautions, console)


def stops(found: RunComparison, allow_incomparable: bool = False) -> list[str]:
    """Why a gate ends with 1, a line each; none where all that BASE had was judged and nothing
    became slower. What is INCONCLUSIVE passes.
    """
    if not found.comparable and not allow_incomparable:
        return [headline(found)]
    slower = [
        f"{each.label}: SLOWER, {words.times(interval(each))} times as long"
        for each in regressions(found)
    ]
    judged = [each for each in found.changes if each.verdict or not found.comparable]
    nothing = [] if judged else ["nothing is left to compare"]
    return [*slower, *found.unjudged, *nothing]


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


def interval(change: CellChange) -> Interval:
    """A cell's ratio with its ends."""
    return Interval(value=change.ratio, low=change.low, high=change.high)
