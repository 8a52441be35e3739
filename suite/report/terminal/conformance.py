"""What did not pass, as a table, and a line for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from suite.parity.conformance.checks import Result, Verdict

WORDS: dict[Verdict, str] = {
    "pass": "passed",
    "fail": "failed",
    "failed": "could not be done",
    "not_supported": "not supported",
}


def show_conformance(backend: str, results: Sequence[Result], console: Console) -> None:
    """A row for each answer that is not a pass, then the line."""
    table = Table("check", "case", "execution", "precision", "verdict", "reason")
    for result in results:
        if result.verdict != "pass":
            words = (result.check, result.case, result.execution, result.precision)
            table.add_row(*map(escape, (*words, WORDS[result.verdict], result.reason or "")))
    if table.row_count:
        console.print(table)
    console.print(summary(backend, results), markup=False, highlight=False)


def summary(backend: str, results: Sequence[Result]) -> str:
    """``torch: 312 checks, 310 passed, 2 failed``."""
    counts = Counter(result.verdict for result in results)
    parts = [f"{counts[verdict]} {word}" for verdict, word in WORDS.items() if counts[verdict]]
    done = f"{len(results)} {'check' if len(results) == 1 else 'checks'}"
    return f"{backend}: {done}, {', '.join(parts)}"
