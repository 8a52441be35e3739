"""An upgrade in the terminal and as Markdown: a summary, and a table to put into a comment."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from suite.analysis import upgrade as judged
from suite.records.schema import UpgradeSummary
from suite.report import upgrade
from suite.report.terminal.pieces import VERDICTS, grid, part, plain
from suite.report.terminal.tables import in_markdown

COLOURS = VERDICTS | {"MORE": "red", "LESS": "green", "different": "red", "failed": "red"}


def show_upgrade(found: UpgradeSummary, console: Console) -> None:
    """What changed, what did not, and what could not be told."""
    console.print(plain(upgrade.title(found), "bold"))
    state = "" if found.complete else "  PARTIAL: the run was not finished"
    console.print(plain(f"{upgrade.headline(found)}{state}"))
    if caution := upgrade.build(found):
        console.print(plain(caution, "yellow"))
    if found.findings:
        console.print()
        table = grid("", *upgrade.STANDINGS.values())
        for tally in upgrade.tallies(found):
            amounts = [str(amount or "-") for amount in tally.amounts.values()]
            table.add_row(tally.name, *amounts)
        console.print(table)
    for name, rows in upgrade.parts(found).items():
        console.print(Text(f"\n{name}", "bold"))
        table = grid(*upgrade.HEADS)
        for row in rows:
            texts = [*map(plain, row.texts)]
            texts[upgrade.VERDICT].stylize(COLOURS.get(row.finding.verdict or "", ""))
            texts[-1].stylize("yellow")
            table.add_row(*texts)
        console.print(table)
    apart = [f"{each.what}: {each.base} → {each.new}" for each in found.differences]
    part("Versions that differ", apart, console)
    part("A gate (--fail-on-regression) stops here", judged.stops(found), console, "red")
    part("Notes", found.notes, console)


def markdown(found: UpgradeSummary) -> str:
    """The whole as Markdown that a pull request or a job's summary shows."""
    return _filled("upgrade.md", found)


def comment(found: UpgradeSummary) -> str:
    """The headline and what changed, short enough for a comment."""
    return _filled("upgrade-table.md", found)


def _filled(template: str, found: UpgradeSummary) -> str:
    values = {"found": found, "upgrade": upgrade, "stops": judged.stops(found)}
    return in_markdown(template, **values) + "\n"  # so that more can be appended to it
