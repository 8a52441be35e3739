"""The doctor's answers as they are printed."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from suite.doctor import selftests
from suite.doctor.findings import findings
from suite.report.terminal.doctor import conclusion, show_answers
from tests.fixtures.doctor_answers import FAILURE, QUIET


def test_the_conclusion_and_the_marks():
    good, bad = selftests.operations(), selftests.memory([], [FAILURE])
    noisy = findings(replace(QUIET, steal=0.5))
    assert conclusion({"a": [good]}).endswith("nothing on this machine was found to spoil it.")
    assert "1 self-test fails" in conclusion({"a": [good, bad], "b": noisy})
    assert "1 thing needs a look" in conclusion({"a": [good], "b": noisy})
    console = Console(width=100, record=True)
    show_answers({"Self-tests": [good, bad], "Machine": noisy}, console)
    text = console.export_text()
    assert all(sign in text for sign in "✓!✗")
    assert all(len(line) <= 100 for line in text.splitlines())
