"""The answers of ``tribench parity`` in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from suite.store.schema import ParityResult

COLOURS = {"same": "green", "different": "bold red", "failed": "bold red"}


def show_parity(results: Sequence[ParityResult], console: Console) -> None:
    """A row per task, backend, execution and question."""
    table = Table()
    for heading in ("task", "backend", "precision", "verdict", "worst error"):
        table.add_column(heading, no_wrap=True)
    if any(r.reason for r in results):
        table.add_column("where, why")
    for r in results:
        colour = COLOURS.get(r.verdict, "yellow")
        table.add_row(
            escape(r.task),
            escape(f"{r.backend} {r.execution}"),
            r.precision,
            f"[{colour}]{r.verdict}[/]",
            "n/a" if r.error is None else f"{r.error:.1e} of {r.threshold:.0e}",
            *([escape(r.reason or "")] if any(r.reason for r in results) else []),
        )
    console.print(table)
