"""The summary as text: in the terminal, wide or narrow, and as Markdown."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.analysis import words
from suite.records.schema import LearningSummary, Summary
from suite.report.frames import write
from suite.report.headlines import Arm, Group, groups
from suite.report.metrics import ARM, COMPARISON, RESULTS, SETTING, results
from suite.report.page.page import templates
from suite.report.terminal.pieces import VERDICTS, grid, indented, part, plain

__all__ = ["markdown", "show", "write"]

STATUS_STYLES = {"failed": "bold red", "not_stationary": "yellow", "disturbed": "yellow"}


def show(summary: Summary, console: Console) -> None:
    """Print the whole summary; it fits 100 columns."""
    found = groups(summary)
    state = "complete" if summary.complete else "PARTIAL: the run was not finished"
    console.print(Text.assemble((f"Run {words.plain(summary.id)}", "bold"), f"  {state}"))
    if busy := words.busy(summary):
        console.print(plain(busy, "yellow"))
    widths = [
        max((len(column.text(arm)) for group in found for arm in group.arms), default=0)
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
        console.print(Text("\nComparisons: time of the first / time of the second", "bold"))
        console.print(_comparisons(found))
    # What rests on one seed tells nothing.
    if paired := [each for each in summary.learning if each.seeds > 1]:
        for score, ours in words.scored(paired):
            title = f"\nTest {score.name}: the first less the second, in {score.apart}"
            console.print(Text(title, "bold"))
            console.print(_learning(ours))
    ceilings = [words.ceiling(ceiling) for ceiling in summary.ceilings]
    part("Ceilings: the highest rates that the device showed", ceilings, console)
    part("Failures", summary.failures, console)
    part("Notes", summary.notes, console)


def _title(group: Group) -> Text:
    caution = words.first_look(group.launches) if group.comparisons else ""
    return Text.assemble(
        (words.plain(group.task), "bold"),
        f" {words.plain(group.setting)}: ",
        (words.plain(group.headline), "green" if group.order_is_shown else ""),
        (f" ({caution})" if caution else "", "yellow"),
    )


def _arms(widths: list[int]) -> Table:
    """A table that begins with the names of arms."""
    table = grid(gap=1)
    for column, width in zip(ARM, widths, strict=True):
        table.add_column(column.short or column.head, min_width=min(width, 12))
    return table


def _results(arms: list[Arm], widths: list[int], room: int, ordered: bool) -> Table:
    table, columns = _arms(widths), results(arms, room)
    for column in columns:
        head = column.short or column.head
        table.add_column(head, justify="right" if column.numeric else "left")
    for arm in arms:
        cells = [plain(column.text(arm)) for column in [*ARM, *columns]]
        cells[-1].stylize(STATUS_STYLES.get(arm.cell.status, ""))
        if arm.tier == 1 and ordered:
            cells[2].stylize("bold green")
        table.add_row(*cells)
    return table


def _reasons(arms: list[Arm], widths: list[int]) -> Table:
    """The arms that have no result, or one with a caution, and why."""
    table = _arms(widths)
    table.show_header = False
    table.add_column()
    for arm in arms:
        style = STATUS_STYLES.get(arm.cell.status, "yellow")
        reason = words.plain(arm.cell.reason or "no reason given")
        status = Text.assemble((words.spaced(arm.cell.status), style), f": {reason}")
        table.add_row(*(plain(column.text(arm)) for column in ARM), status)
    return table


def _comparisons(found: list[Group]) -> Table:
    table = grid("", "ratio (95 %)", "verdict", "launches")
    for group in found:
        if group.comparisons:
            title = f"{group.task} {group.setting.replace(', ', ' ').replace('batch ', '')}"
            table.add_row(plain(title, "bold"))
        for comparison in group.comparisons:
            finding = plain(words.sentence(comparison))
            if comparison.reason:
                finding.append(f"\n{words.plain(comparison.reason)}", "yellow")
            caution = ", first look" if words.first_look(comparison.launches) else ""
            table.add_row(
                indented(finding),
                Text(words.ratio(comparison)),
                Text(words.verdict(comparison), VERDICTS.get(comparison.verdict or "", "")),
                Text.assemble(str(comparison.launches), (caution, "yellow")),
            )
    return table


def _learning(paired: list[LearningSummary]) -> Table:
    table = grid("", "", "difference (95 %)", "verdict", "rests on")
    for found in paired:
        table.add_row(
            indented(plain(found.task)),
            plain(words.learning(found)),
            Text(words.apart_by(found)),
            Text(found.verdict, VERDICTS.get(found.verdict, "")),
            Text(words.settled_by(found)),
        )
    return table


def markdown(summary: Summary) -> str:
    """The summary as Markdown that a pull request or a wiki shows."""
    columns = [*COMPARISON, *SETTING, *ARM, *RESULTS]
    return in_markdown("summary.md", summary=summary, groups=groups(summary), columns=columns)


def in_markdown(template: str, **values: Any) -> str:
    """A template of Markdown, filled; whatever is put into it is escaped."""
    found = templates().overlay(autoescape=False, finalize=_escaped).get_template(template)
    return found.render(**values)


def _escaped(value: object) -> str:
    """Nothing a user typed may end a cell or a line, or become markup."""
    text = " ".join(words.plain(str(value)).split())
    for sign in "\\`|*_[]<>":
        text = text.replace(sign, f"\\{sign}")
    return text
