"""The answers of ``tribench parity`` in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from suite.analysis import words
from suite.parity.thresholds import Limits
from suite.records.schema import ParityResult

COLOURS = {"same": "green", "different": "bold red", "failed": "bold red"}


def show_parity(results: Sequence[ParityResult], console: Console) -> None:
    """A row per task, backend, execution and question."""
    table = Table()
    several = len({r.seed for r in results}) > 1
    reasons = any(r.reason for r in results)
    headings = ["task", "backend", "question", "verdict", "worst error"]
    for heading in [*headings, "seed"] if several else headings:
        table.add_column(heading, no_wrap=True)
    if reasons:
        table.add_column("where, why")
    for r in results:
        colour = COLOURS.get(r.verdict, "yellow")
        table.add_row(
            escape(r.task),
            escape(f"{r.backend} {r.execution}"),
            words.question(r) if r.precision == "float64" else f"{words.question(r)} {r.precision}",
            f"[{colour}]{r.verdict}[/]",
            _error(r),
            *([str(r.seed)] if several else []),
            *([escape(r.reason or "")] if reasons else []),
        )
    console.print(table)


def show_limits(limits: Limits, console: Console) -> None:
    """A row per limit, with what it was derived from."""
    table = Table("of", "threshold", "correct programs", "smallest mistake")
    for name, limit in limits.all().items():
        each = [f"{e.value:.1e} ({e.where})" if e else "" for e in (limit.correct, limit.mistake)]
        table.add_row(name, f"{limit.threshold:.2g}", *map(escape, each))
    console.print(table)


def _error(result: ParityResult) -> str:
    """Relative in float64; else in units of what correct arithmetic of that precision makes."""
    if result.error is None or result.threshold is None:
        return "n/a"
    if result.question == "function":
        return " of ".join(words.apart(result.error, result.threshold, ".{}e"))
    return "× of ".join(words.apart(result.error, result.threshold, ".{}f")) + "×"
