"""The doctor's answers in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from suite.analysis import words
from suite.doctor.answer import Answer
from suite.report.terminal.pieces import grid, plain

MARKS = {"pass": ("✓", "green"), "warning": ("!", "yellow"), "fail": ("✗", "bold red")}


def show_answers(sections: Mapping[str, Sequence[Answer]], console: Console) -> None:
    """A table per section: a mark, a name, a sentence, and below it how to mend it."""
    for title, answers in sections.items():
        console.print(Text(f"\n{title}", "bold"))
        table = grid("", "", "", gap=1)
        table.show_header = False
        for answer in answers:
            sign, style = MARKS[answer.verdict]
            said = plain(answer.finding)
            if answer.remedy:
                said.append(f"\n{words.plain(answer.remedy)}", style)
            table.add_row(Text(sign, style), plain(answer.name), said)
        console.print(table)


def conclusion(sections: Mapping[str, Sequence[Answer]]) -> str:
    """All of it in a sentence."""
    found = [answer.verdict for answers in sections.values() for answer in answers]
    failed, warned = found.count("fail"), found.count("warning")
    tests = (
        f"{words.count(failed, 'self-test fails', 'self-tests fail')}: do not trust this "
        "tribench here"
        if failed
        else "tribench measures right here"
    )
    if not warned:
        return f"{tests}; nothing on this machine was found to spoil it."
    return f"{tests}; {words.count(warned, 'thing needs', 'things need')} a look."
