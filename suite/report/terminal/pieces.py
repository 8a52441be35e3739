"""What several of the terminal's answers are made of. No text in them is markup, or reaches the
terminal as a command.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from suite.analysis import words

VERDICTS = {"FASTER": "green", "SLOWER": "red", "DIFFERENT": "red", "EQUIVALENT": "cyan"}


def plain(text: str, style: str = "") -> Text:
    """A text as it may be shown."""
    return Text(words.plain(text), style)


def indented(text: Text) -> Padding:
    """A text below a heading."""
    return Padding(text, (0, 0, 0, 2))


def grid(*heads: str, gap: int = 2) -> Table:
    """A table without lines."""
    return Table(*heads, box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="dim")


def part(title: str, lines: Sequence[str], console: Console, style: str = "") -> None:
    """A heading with lines below it; nothing where there are none."""
    if lines:
        console.print(Text(f"\n{title}", "bold"))
    for line in lines:
        console.print(indented(plain(line, style)))
