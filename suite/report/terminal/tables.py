"""The summary as text: in the terminal, wide or narrow, and as Markdown."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.analysis import words
from suite.records.schema import ComparisonSummary, LearningSummary, Summary
from suite.report.columns import ARM, COMPARISON, RESULTS, SETTING, results
from suite.report.frames import write
from suite.report.headlines import Arm, Group, groups

__all__ = ["markdown", "show", "write"]

VERDICT_STYLES = {"FASTER": "green", "SLOWER": "red", "DIFFERENT": "red", "EQUIVALENT": "cyan"}
SHORT_HEADS = {  # what brings the table to 100 columns
    "execution": "exec",
    "ms/step": "ms/\nstep",
    "GFLOP/s": "GFLOP\n/s",
    "of ceiling": "of\nceil.",
    "compile s": "comp.\ns",
    "live MiB": "live\nMiB",
    "reserved MiB": "resv.\nMiB",
    "process MiB": "proc.\nMiB",
    "test accuracy": "test\naccuracy",
}
STATUS_STYLES = {"failed": "bold red", "not_stationary": "yellow", "disturbed": "yellow"}


def show(summary: Summary, console: Console) -> None:
    """Print the whole summary; it fits 100 columns."""
    found = groups(summary)
    state = "complete" if summary.complete else "PARTIAL: the run was not finished"
    console.print(Text.assemble((f"Run {words.plain(summary.id)}", "bold"), f"  {state}"))
    if busy := words.busy(summary):
        console.print(Text(words.plain(busy), "yellow"))
    widths = [
        max(len(column.text(arm)) for group in found for arm in group.arms) if found else 0
        for column in ARM
    ]
    for group in found:
        console.print()
        console.print(_title(group))
        measured = [arm for arm in group.arms if arm.cell.samples_per_second is not None]
        if measured:
            console.print(_results(measured, widths, console.width, group.order_is_shown))
        others = [arm for arm in group.arms if arm.cell.status != "ok" or arm.cell.reason]
        if others:
            console.print(_reasons(others, widths))
    if summary.comparisons:
        console.print(_heading("Comparisons: time of the first / time of the second"))
        console.print(_comparisons(found))
    if paired := _paired(summary):
        console.print(_heading("Test accuracy: the first less the second, in points"))
        console.print(_learning(paired))
    if summary.ceilings:
        console.print(_heading("Ceilings: the highest rates that the device showed"))
        for ceiling in summary.ceilings:
            console.print(Padding(Text(words.plain(words.ceiling(ceiling))), (0, 0, 0, 2)))
    for title, lines in (("Failures", summary.failures), ("Notes", summary.notes)):
        if lines:
            console.print(_heading(title))
            for line in lines:
                console.print(Padding(Text(words.plain(line)), (0, 0, 0, 2)))


def _heading(title: str) -> Text:
    return Text(f"\n{title}", "bold")


def _title(group: Group) -> Text:
    caution = words.first_look(group.launches) if group.comparisons else ""
    return Text.assemble(
        (words.plain(group.task), "bold"),
        f" {words.plain(group.setting)}: ",
        (words.plain(group.headline), "green" if group.order_is_shown else ""),
        (f" ({caution})" if caution else "", "yellow"),
    )


def _grid() -> Table:
    return Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")


def _results(arms: list[Arm], widths: list[int], room: int, ordered: bool) -> Table:
    table = _grid()
    columns = results(arms, room)
    for column, width in zip(ARM, widths, strict=True):
        table.add_column(SHORT_HEADS.get(column.head, column.head), min_width=min(width, 12))
    for column in columns:
        head = SHORT_HEADS.get(column.head, column.head)
        table.add_column(head, justify="right" if column.numeric else "left")
    for arm in arms:
        cells = [Text(words.plain(column.text(arm))) for column in [*ARM, *columns]]
        cells[-1].stylize(STATUS_STYLES.get(arm.cell.status, ""))
        if arm.tier == 1 and ordered:
            cells[2].stylize("bold green")
        table.add_row(*cells)
    return table


def _reasons(arms: list[Arm], widths: list[int]) -> Table:
    """The arms that have no result, or one with a caution, and why."""
    table = _grid()
    table.show_header = False
    for width in widths:
        table.add_column(min_width=min(width, 12))
    table.add_column()
    for arm in arms:
        style = STATUS_STYLES.get(arm.cell.status, "yellow")
        reason = words.plain(arm.cell.reason or "no reason given")
        status = Text.assemble((words.spaced(arm.cell.status), style), f": {reason}")
        table.add_row(*(Text(words.plain(column.text(arm))) for column in ARM), status)
    return table


def _comparisons(found: list[Group]) -> Table:
    table = _grid()
    table.padding = (0, 2, 0, 0)
    for head in ("", "ratio (95 %)", "verdict", "launches"):
        table.add_column(head)
    for group in found:
        if group.comparisons:
            title = f"{group.task} {group.setting.replace(', ', ' ').replace('batch ', '')}"
            table.add_row(Text(words.plain(title), "bold"))
        for comparison in group.comparisons:
            finding = Text(words.plain(words.sentence(comparison)))
            if comparison.reason:
                finding.append(f"\n{words.plain(comparison.reason)}", "yellow")
            caution = ", first look" if words.first_look(comparison.launches) else ""
            table.add_row(
                Padding(finding, (0, 0, 0, 2)),
                Text(words.ratio(comparison)),
                Text(words.verdict(comparison), VERDICT_STYLES.get(comparison.verdict or "", "")),
                Text.assemble(str(comparison.launches), (caution, "yellow")),
            )
    return table


def _paired(summary: Summary) -> list[LearningSummary]:
    """Those that rest on more than one seed; one tells nothing."""
    return [found for found in summary.learning if found.seeds > 1]


def _learning(paired: list[LearningSummary]) -> Table:
    table = _grid()
    table.padding = (0, 2, 0, 0)
    for head in ("", "", "difference (95 %)", "verdict", "rests on"):
        table.add_column(head)
    for found in paired:
        table.add_row(
            Padding(Text(words.plain(found.task)), (0, 0, 0, 2)),
            Text(words.plain(words.learning(found))),
            Text(words.points_interval(found)),
            Text(found.verdict, VERDICT_STYLES.get(found.verdict, "")),
            Text(words.settled_by(found)),
        )
    return table


def markdown(summary: Summary) -> str:
    """The summary as Markdown that a pull request or a wiki shows."""
    found = groups(summary)
    columns = [*COMPARISON, *SETTING, *ARM, *RESULTS]
    lines = [f"# Run {_escaped(summary.id)}", ""]
    if not summary.complete:
        lines += ["**PARTIAL**: the run was not finished.", ""]
    if busy := words.busy(summary):
        lines += [f"**{_escaped(busy)}**", ""]
    lines += [f"- {_escaped(f'{group.task} {group.setting}: {group.headline}')}" for group in found]
    rows = [
        [*(column.text(arm) for column in columns), arm.cell.reason or ""]
        for group in found
        for arm in group.arms
    ]
    numeric = [column.numeric for column in columns]
    lines += ["", "## Cells", ""]
    lines += _table([*(column.head for column in columns), "reason"], rows, [*numeric, False])
    if summary.comparisons:
        heads = ["task", "phase", "batch", "finding", "ratio (95 %)", "verdict", "launches", "note"]
        rows = [_comparison_row(comparison) for comparison in summary.comparisons]
        lines += ["", "## Comparisons", "", "Ratio: time of the first / time of the second.", ""]
        lines += _table(heads, rows, [False, False, True, False, True, False, True, False])
    if paired := _paired(summary):
        heads = ["task", "finding", "difference, points (95 %)", "verdict", "rests on"]
        rows = [
            [f.task, words.learning(f), words.points_interval(f), f.verdict, words.settled_by(f)]
            for f in paired
        ]
        lines += ["", "## Test accuracy", ""]
        lines += _table(heads, rows, [False, False, True, False, False])
    if summary.ceilings:
        lines += ["", "## Ceilings", "", f"{words.CEILINGS} {words.OPERATIONS}", ""]
        lines += [f"- {_escaped(words.ceiling(ceiling))}" for ceiling in summary.ceilings]
    for title, texts in (("Failures", summary.failures), ("Notes", summary.notes)):
        if texts:
            lines += ["", f"## {title}", "", *(f"- {_escaped(text)}" for text in texts)]
    return "\n".join(lines) + "\n"


def _comparison_row(comparison: ComparisonSummary) -> list[str]:
    notes = [comparison.reason or "", words.first_look(comparison.launches)]
    return [
        comparison.task,
        comparison.phase,
        str(comparison.batch_size),
        words.sentence(comparison),
        words.ratio(comparison),
        words.verdict(comparison),
        str(comparison.launches),
        "; ".join(note for note in notes if note),
    ]


def _table(heads: list[str], rows: list[list[str]], numeric: list[bool]) -> list[str]:
    rule = ["---:" if right else "---" for right in numeric]
    lines = [[_escaped(head) for head in heads], rule]
    lines += [[_escaped(text) for text in row] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _escaped(text: str) -> str:
    """Nothing a user typed may end a cell or a line, or become markup."""
    text = " ".join(words.plain(text).split())
    for sign in "\\`|*_[]<>":
        text = text.replace(sign, f"\\{sign}")
    return text
