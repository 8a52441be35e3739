"""Tables and Markdown show what the summary says, whatever its texts hold."""

from __future__ import annotations

import re

import pytest

from suite.analysis import words
from suite.analysis.digest import measured
from suite.records.run import Run
from suite.records.schema import (
    Interval,
    Summary,
)
from suite.report import frames
from suite.report.exports import EXPORTS
from suite.report.page.page import render
from suite.report.terminal import tables
from tests.fixtures.sample_run import HOSTILE, UNMEASURED
from tests.fixtures.summaries import (
    emptied,
    of_language_models,
    of_speech,
    of_translations,
    printed,
)


def wild(run: Run) -> Summary:
    """The sample after a busy machine: the first comparison's launches differ 190-fold."""
    cells, comparisons = [], []
    launches = [1e-4, 0.019, 0.0014]
    step = Interval(value=1.4e-3, low=1e-24, high=1.9e21)
    for cell in run.summary.cells:
        told = {"step_seconds": step, "launch_seconds": launches} if cell.launches else {}
        cells.append(cell.model_copy(update=told))
    for c in run.summary.comparisons:
        told = {"low": 1e-22, "high": 5.2e22, "launch_ratios": [1.0, 190.0, 14.0]}
        comparisons.append(c.model_copy(update=told | {"verdict": "INCONCLUSIVE"}))
    return run.summary.model_copy(update={"cells": cells, "comparisons": comparisons})


class TestTerminal:
    @pytest.mark.parametrize("width", [100, 160])
    def test_every_cell_has_its_line(self, run: Run, width: int) -> None:
        text = printed(run.summary, width)
        assert max(map(len, text.splitlines())) <= width
        assert run.summary.cells
        for cell in run.summary.cells:
            line = next(
                line
                for line in text.split(f"{cell.task} {cell.phase}", 1)[1].splitlines()
                if line.startswith(cell.backend) and f" {cell.execution} " in line
            )
            if cell.status == "ok":
                assert words.rate(cell) in line
                assert words.milliseconds(cell.step_seconds) in line
                assert words.accuracy(cell) in line
                assert line.split()[-1] == "ok"
            else:
                assert f"{words.spaced(cell.status)}: {cell.reason}"[: width - 25] in line

    def test_comparisons_failures_and_notes(self, run: Run) -> None:
        text = printed(run.summary, 100)
        assert run.summary.comparisons
        for comparison in run.summary.comparisons:
            assert words.ratio(comparison) in text
            assert words.verdict(comparison) in text
        assert run.summary.failures[0] in text
        assert run.summary.notes[0] in text

    def test_nothing_typed_is_markup_or_reaches_the_terminal_as_a_command(
        self, hostile: Run
    ) -> None:
        text = printed(hostile.summary, 4000)
        assert "\x1b" not in text
        assert words.plain(HOSTILE) in text

    def test_a_busy_machine_is_told_first(self, run: Run) -> None:
        note = "Something else ran beside 15 of 18 cells, up to 77 % of the time: they say which."
        busy = run.summary.model_copy(update={"disturbed_cells": 15, "notes": [note]})
        assert printed(busy, 100).splitlines()[1].startswith("Something else ran beside 15 of 18")
        assert f"**{note}**" in tables.markdown(busy)
        shown = Run(
            path=run.path,
            manifest=run.manifest,
            environment=run.environment,
            records=[],
            summary=busy,
        )
        assert f'<li class="caution"><strong>The machine was disturbed</strong> {note}</li>' in (
            render(shown)
        )

    def test_an_interval_that_determines_nothing_is_not_printed_anywhere(self, run: Run) -> None:
        summary = wild(run)
        shown = Run(
            path=run.path,
            manifest=run.manifest,
            environment=run.environment,
            records=run.records,
            summary=summary,
        )
        exported = [export(shown) for export in EXPORTS.values()]
        data = [frame.to_csv() for frame in frames.frames(shown).values()]
        texts = [printed(summary, 160), tables.markdown(summary), render(shown, ""), *exported]
        for text in [*texts, *data]:
            assert not re.search(r"(?<![\w.])\d{19}|e[+-]?2\d\b", text)
        rows = measured(summary.cells) + len(summary.comparisons)
        assert printed(summary, 300).count("not determined: launches differ 190-fold") == rows
        assert "launches differ 190-fold" in exported[1]

    def test_an_unfinished_run_says_so(self, run: Run) -> None:
        assert "PARTIAL" in printed(emptied(run).summary, 100)


class TestMarkdown:
    def test_every_cell_is_a_row(self, run: Run) -> None:
        text = tables.markdown(run.summary)
        rows = [line for line in text.splitlines() if line.startswith("|")]
        told = (run.summary.cells, run.summary.comparisons, run.summary.learning)
        assert len(rows) == sum(2 + len(each) for each in told)
        assert sum(reason in text for _, reason in UNMEASURED.values()) == len(UNMEASURED)

    def test_no_text_ends_a_cell_or_becomes_markup(self, run: Run, hostile: Run) -> None:
        def shape(text: str) -> list[int]:
            rows = [line for line in text.splitlines() if line.startswith("|")]
            return [len(re.findall(r"(?<!\\)\|", row)) for row in rows]

        text = tables.markdown(hostile.summary)
        assert shape(text) == shape(tables.markdown(run.summary))
        assert not re.search(r"(?<!\\)<", text)
        assert r"line\<br\>two \| three" in tables.markdown(
            run.summary.model_copy(update={"notes": ["line<br>two\n| three"]})
        )


def test_language_models_are_told_by_their_bits(run: Run) -> None:
    for width in (100, 200):
        text = printed(of_language_models(run).summary, width)
        assert "Test bits per byte: the first less the second, in bits" in text
        assert "-0.031 (-0.045" in text
        assert "in points" not in text
        assert "2.50" in text
    told = tables.markdown(of_language_models(run).summary)
    assert "| task | finding | difference, bits (95 %) | verdict | rests on |" in told
    assert "## Test accuracy" not in told


def test_translations_are_told_by_their_tokens(run: Run) -> None:
    text = printed(of_translations(run).summary, 200)
    assert "Test token accuracy: the first less the second, in points" in text
    assert " token " in text.partition("Test token accuracy")[0]  # the first line of a head
    told = tables.markdown(of_translations(run).summary)
    assert "## Test token accuracy" in told
    assert "## Test accuracy" not in told


def test_speech_is_told_by_its_errors(run: Run) -> None:
    text = printed(of_speech(run).summary, 200)
    assert "Test error rate: the first less the second, in points" in text
    assert " error " in text.partition("Test error rate")[0]  # the first line of a head
    assert "30.5 %" in text
    told = tables.markdown(of_speech(run).summary)
    assert "## Test error rate" in told
    assert "## Test accuracy" not in told
