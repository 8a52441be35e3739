"""An upgrade in words: the same table in the terminal, in Markdown and on the page."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from suite.analysis.upgrade import upgraded
from suite.records.schema import BlockRecord, ParityRecord
from suite.report import upgrade
from suite.report.page.upgrade import render_upgrade
from suite.report.terminal.upgrade import comment, markdown, show_upgrade
from tests.fixtures.upgraded_run import NEW, UPGRADE, copied, upgraded_run

HOSTILE = "</title><script>window.hacked = 1</script>|*x*"


def changed(record):
    """rnn-tiny is slower, transformer-tiny another function."""
    if isinstance(record, BlockRecord) and record.cell.task == "rnn-tiny":
        return copied(record, seconds=record.seconds * 1.3)
    if isinstance(record, ParityRecord) and record.result.task == "transformer-tiny":
        return copied(record, verdict="different", reason="gradients differ")
    return copied(record)


@pytest.fixture
def found(tmp_path):
    return upgraded(upgraded_run(tmp_path, changed), UPGRADE)


def printed(found, width=160):
    stream = io.StringIO()
    show_upgrade(found, Console(file=stream, width=width, force_terminal=False))
    return stream.getvalue()


def test_each_of_three_parts_has_what_belongs_there(found):
    parts = upgrade.parts(found)
    assert [*parts] == ["What changed", "What did not change", "What could not be told"]
    moved = [row.texts for row in parts["What changed"]]
    assert [texts[0] for texts in moved] == ["speed", "speed", "parity"]
    assert moved[0][1].startswith("rnn-tiny train ×")
    assert moved[0][2:4] == ("SLOWER (δ 5 %)", "1.30")
    assert moved[2][4:6] == ("same", "different")
    assert "gradients differ" in moved[2][6]


def test_the_headline_counts_and_names_what_was_not_judged(found):
    assert upgrade.headline(found).startswith("3 worse, ")
    assert upgrade.headline(found).endswith("; 2 cells not judged")
    assert upgrade.title(found) == "torch==1 → torch==2"


def test_terminal_markdown_and_page_show_the_same_rows(found):
    shown = {
        "terminal": printed(found),
        "markdown": markdown(found).replace("\\", ""),
        "page": render_upgrade(found),
    }
    for name, text in shown.items():
        for rows in upgrade.parts(found).values():
            for row in rows:
                for part in row.texts[1:6]:
                    assert part in text, (name, part)
        assert "torch: 2.12.0+cpu → 2.13.0+cpu" in text or "2.13.0+cpu" in text


def test_the_comment_has_what_changed_alone(found):
    told = comment(found)
    assert told.startswith("**torch==1 → torch==2**: 3 worse, ")
    assert "SLOWER (δ 5 %)" in told
    assert "What did not change" not in told
    lines = told.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables} == {6, 8}


def test_markdown_tables_have_as_many_columns_in_each_row(found):
    for table in re.split(r"\n(?!\|)", markdown(found)):
        rows = [re.sub(r"\\\|", "", line) for line in table.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, rows


def test_rows_without_a_value_and_with_one_reason_are_one(found):
    bare = {"base": None, "new": None, "change": None, "verdict": None, "standing": "open"}
    why = {"reason": "not available in NEW: no matching distribution"}
    gone = [each.model_copy(update=bare | why) for each in found.findings]
    rows = upgrade.parts(found.model_copy(update={"findings": gone}))["What could not be told"]
    told = {row.texts[0]: row.texts[1] for row in rows}
    assert len(rows) == len({each.aspect for each in gone})
    assert told["speed"] == "6 of cnn-tiny, rnn-tiny and transformer-tiny"


def test_builds_for_different_devices_are_named_as_such(tmp_path):
    run = upgraded_run(tmp_path)
    told = run.environment.backends | {NEW: {"torch": "2.13.0", "nvidia-cublas-cu12": "12"}}
    run = type(run)(
        path=run.path,
        manifest=run.manifest,
        environment=run.environment.model_copy(update={"backends": told}),
        records=run.records,
        summary=run.summary,
    )
    found = upgraded(run, UPGRADE)
    said = "OLD is a build for CPU, NEW a build for CUDA"
    for text in (printed(found), markdown(found), comment(found), render_upgrade(found)):
        assert said in text


def test_what_a_user_can_type_is_escaped(tmp_path):
    asked = UPGRADE.model_copy(update={"new_requirements": HOSTILE})
    found = upgraded(upgraded_run(tmp_path), asked)
    page = render_upgrade(found)
    assert "window.hacked = 1</script>" not in page
    assert "&lt;/title&gt;&lt;script&gt;" in page
    assert "\\|\\*x\\*" in markdown(found)
