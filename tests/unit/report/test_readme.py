"""The README's table and picture: what the records of the run say that the README names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docs.picture import picture
from suite.analysis import words
from suite.report.headlines import groups
from suite.report.readme import BLOCK, UNRANKED, filled, rates, read, times

ROOT = Path(__file__).parents[3]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "results.svg"


@pytest.fixture(scope="module")
def named() -> str:
    """The folder that the README's first marker names."""
    found = BLOCK.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[1] == "results"
    return found[2]


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


def table(run):
    """That of one run."""
    return times([run])


def test_the_tables_are_what_the_records_say():
    text = README.read_text(encoding="utf-8")
    made = filled(text, lambda folder: read(ROOT / folder))
    assert text == made, "python -m suite.report.readme README.md"


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


def test_of_models_it_tells_rate_ratio_memory_and_share(run):
    group = next(group for group in groups(run.summary) if group.order_is_shown)
    own = [arm for arm in group.arms if not arm.cell.is_twin]
    quickest, other = own[0], next(arm for arm in own if arm.tier == 2)
    at = [group.task, quickest.cell.phase, str(quickest.cell.batch_size)]
    row = next(row for row in rows(rates([run])) if row[:3] == at)
    told = [text.split("<br>") for text in row[3:]]
    assert {len(lines) for lines in told} == {3}
    (first,) = [lines for lines in told if lines[1] == "1.00\u00a0times"]
    value = first[0].strip("*").partition(" ±")[0].replace(",", "")
    assert float(value) == pytest.approx(quickest.cell.samples_per_second, rel=0.01)
    memory, share = first[2].split(", ")
    assert memory == f"{quickest.cell.memory.process / 2**30:.1f}\u00a0GiB"
    assert share == words.share(quickest.cell.of_ceiling).replace(" ", "\u00a0")
    assert f"{group.ratio(other, quickest):.2f}\u00a0times" in [lines[1] for lines in told]
    of_texts = rates([with_cells(run, tokens_per_second=12345.0)])
    assert all("12,345" in text for row in rows(of_texts) for text in row[3:])


def test_models_may_be_of_several_runs(run):
    one, two = (text.splitlines() for text in (rates([run]), rates([run, run])))
    assert len(two) == len(one) + len(rows(rates([run])))
    assert two[0].count(f"[Run {run.manifest.id}]") == 2


def test_several_precisions_get_a_column(run):
    assert "| precision |" not in table(run)
    cells = [
        cell.model_copy(update={"precision": "bfloat16"}) if number % 2 else cell
        for number, cell in enumerate(run.summary.cells)
    ]
    changed = run.summary.model_copy(update={"cells": cells})
    assert "| precision | device |" in table(replace(run, summary=changed))


def test_a_readme_without_its_markers_is_refused(run):
    with pytest.raises(ValueError, match="no table"):
        filled("# Nothing here\n", lambda folder: run)


def test_a_damaged_run_is_refused(run, tmp_path):
    for name in ("manifest.json", "environment.json", "records.jsonl"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes()[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        read(tmp_path)


def test_a_picture_of_no_times_is_refused(run):
    with pytest.raises(ValueError, match="has no times"):
        picture(with_cells(run, step_seconds=None).summary)
