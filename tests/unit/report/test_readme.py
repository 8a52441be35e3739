"""The README's table and picture: what the records of the run say that the README names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docs.picture import picture
from suite.report.readme import BLOCK, UNRANKED, filled, read, table

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "results.svg"


@pytest.fixture(scope="module")
def named() -> str:
    """The folder that the README's first marker names."""
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def run(named):
    return read(ROOT / named)


def with_cells(run, **changes):
    """The run with every cell changed alike."""
    cells = [cell.model_copy(update=changes) for cell in run.summary.cells]
    return replace(run, summary=run.summary.model_copy(update={"cells": cells}))


def with_verdicts(run, verdict):
    """The run with every comparison called so."""
    found = [c.model_copy(update={"verdict": verdict}) for c in run.summary.comparisons]
    return replace(run, summary=run.summary.model_copy(update={"comparisons": found}))


def rows(text):
    """The cells of the table's rows."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_the_table_is_what_the_records_say(named, run):
    text = README.read_text(encoding="utf-8")
    assert text == filled(text, run), f"python -m suite.report.readme {named} README.md"


def test_the_picture_is_what_the_records_say(named, run):
    made = picture(run.summary)
    assert PICTURE.read_text(encoding="utf-8") == made, (
        f"python -m docs.picture {named} docs/results.svg"
    )


def test_a_row_per_comparison_and_a_column_per_arm_without_the_twin(run):
    cells = [cell for cell in run.summary.cells if cell.step_seconds and not cell.is_twin]
    found = rows(table(run))
    assert len(found) == len({cell.comparison for cell in cells})
    assert {len(row) for row in found} == {3 + len({cell.arm for cell in cells})}
    assert "@" not in table(run).partition("\n\n")[2]


def test_times_are_the_cells(run):
    first = run.summary.cells[0]
    half = max(first.step_seconds.high / first.step_seconds.value - 1, 0)
    found = next(
        row
        for row in rows(table(run))
        if row[:3] == [first.task, first.phase, str(first.batch_size)]
    )
    value, _, width = found[3].strip("*").partition(" ±")
    assert float(value) == pytest.approx(1000 * first.step_seconds.value, rel=0.01)
    assert float(width.removesuffix("\u00a0%")) / 100 == pytest.approx(half, abs=0.01)


def test_bold_where_an_order_is_shown_and_nowhere_else(run):
    assert "**" in table(run)
    assert "**" not in table(with_verdicts(run, "INCONCLUSIVE"))
    assert "**" not in table(with_verdicts(run, None))


def test_a_time_without_a_rank_is_marked_and_explained(run):
    assert UNRANKED not in table(run)
    told = table(with_cells(run, status="disturbed"))
    assert UNRANKED in told
    times = [text for row in rows(told) for text in row[3:]]
    assert times
    assert all(text.endswith("†") or text == "n/a" for text in times)


def test_a_cell_that_failed_shows_that_and_no_time(run):
    for row in rows(table(with_cells(run, status="failed"))):
        assert set(row[3:]) == {"failed"}


def test_several_precisions_get_a_column(run):
    assert "| precision |" not in table(run)
    cells = [
        cell.model_copy(update={"precision": "bfloat16"}) if number % 2 else cell
        for number, cell in enumerate(run.summary.cells)
    ]
    changed = run.summary.model_copy(update={"cells": cells})
    assert "| precision | device |" in table(replace(run, summary=changed))


def test_a_readme_without_its_markers_is_refused(run):
    with pytest.raises(ValueError, match="0 pairs of"):
        filled("# Nothing here\n", run)


def test_a_damaged_run_is_refused(run, tmp_path):
    for name in ("manifest.json", "environment.json", "records.jsonl"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes()[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        read(tmp_path)


def test_a_picture_of_no_times_is_refused(run):
    with pytest.raises(ValueError, match="has no times"):
        picture(with_cells(run, step_seconds=None).summary)
