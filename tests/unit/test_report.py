"""Tables, Markdown, tidy data and the page show what the summary says, whatever its texts hold."""

from __future__ import annotations

import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from suite.report import frames, tables, words
from suite.report.figures import figures
from suite.report.findings import groups, tiers
from suite.report.page import render
from suite.report.styles import styles
from suite.store.run import Run
from suite.store.schema import (
    BlockRecord,
    ComparisonSummary,
    Interval,
    MemoryRecord,
    ParityRecord,
    Summary,
    Training,
)
from suite.store.writing import WriteError
from tests.sample_run import HOSTILE, UNMEASURED, hostile_run, sample_run


@pytest.fixture(scope="module")
def run() -> Run:
    return sample_run(Path("run"))


@pytest.fixture(scope="module")
def hostile() -> Run:
    return hostile_run(Path("run"))


@pytest.fixture(scope="module")
def page(run: Run) -> str:
    return render(run)


def printed(summary: Summary, width: int) -> str:
    stream = io.StringIO()
    tables.show(summary, Console(file=stream, width=width, force_terminal=False))
    return stream.getvalue()


def emptied(run: Run) -> Run:
    nothing = {"cells": [], "comparisons": [], "parity": [], "trainings": [], "failures": []}
    told = {"complete": False, "notes": ["line 7: checksum differs"]}
    summary = run.summary.model_copy(update=nothing | told)
    return Run(
        path=run.path,
        manifest=run.manifest.model_copy(update={"complete": False, "label": None}),
        environment=run.environment,
        records=[],
        summary=summary,
    )


def compared(base: str, new: str, verdict: str | None) -> ComparisonSummary:
    return ComparisonSummary(
        task="cnn-tiny",
        phase="train",
        precision="float32",
        device="cpu",
        batch_size=1,
        base=base,
        new=new,
        ratio=1,
        low=1,
        high=1,
        delta=0.05,
        launches=5,
        paired=True,
        verdict=verdict,  # type: ignore[arg-type]
        reason=None,
    )


class TestWords:
    @pytest.mark.parametrize(
        ("value", "text"),
        [(None, "n/a"), (0, "0"), (12345.6, "12,346"), (45.67, "45.7"), (1.234, "1.23")],
    )
    def test_number(self, value: float | None, text: str) -> None:
        assert words.number(value) == text

    def test_memory_that_is_not_available_is_never_zero(self) -> None:
        assert words.mebibytes(None) == "n/a"
        assert words.mebibytes(3 * 2**20) == "3.00"

    def test_relative_half_width_is_that_of_the_larger_side(self) -> None:
        assert words.relative_half_width(Interval(value=2, low=1.9, high=2.4)) == pytest.approx(0.2)

    @pytest.mark.parametrize(
        ("correct", "low", "high"), [(0, 0, 0.0106), (346, 0.9359, 0.9767), (360, 0.9894, 1)]
    )
    def test_accuracy_interval_is_wilsons(
        self, run: Run, correct: int, low: float, high: float
    ) -> None:
        training: Training = run.summary.trainings[0].model_copy(update={"test_correct": correct})
        found = words.accuracy_interval(training)
        assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)

    def test_few_launches_are_a_first_look(self) -> None:
        assert words.first_look(2) == "first look: 2 launches"
        assert words.first_look(3) == ""


class TestFindings:
    def test_arms_that_are_told_apart_stand_in_tiers_of_their_own(self) -> None:
        pairs = [compared("a", "b", "SLOWER"), compared("a", "c", "SLOWER")]
        assert tiers(["a", "b", "c"], [*pairs, compared("c", "b", "FASTER")]) == {
            "a": 1,
            "b": 2,
            "c": 3,
        }

    def test_tied_means_tied(self) -> None:
        pairs = [
            compared("a", "b", "EQUIVALENT"),
            compared("b", "c", "INCONCLUSIVE"),
            compared("a", "c", "SLOWER"),
        ]
        assert tiers(["a", "b", "c"], pairs) == {"a": 1, "b": 1, "c": 2}

    def test_an_arm_without_a_verdict_has_no_tier(self) -> None:
        pairs = [compared("a", "b", None), compared("a", "c", "SLOWER")]
        assert tiers(["b", "a", "c"], pairs) == {"a": 1, "c": 2}

    def test_headlines(self, run: Run) -> None:
        found = {
            f"{group.task} {group.short_setting}": group.headline for group in groups(run.summary)
        }
        assert found["cnn-tiny train, batch 128"] == "torch is fastest"
        assert found["rnn-tiny train, batch 128"] == (
            "jax and tensorflow are equally fast, within 5 %"
        )
        assert found["transformer-tiny infer, batch 128"] == (
            "torch and jax: no difference was shown"
        )

    def test_a_time_ratio_reads_the_same_from_both_sides(self, run: Run) -> None:
        group = groups(run.summary)[2]
        torch = next(arm for arm in group.arms if arm.name == "torch")
        pair = next(c for c in group.comparisons if (c.base, c.new) == ("torch", "jax"))
        found = group.time_ratio(torch)
        assert found is not None
        assert (found.low, found.high) == (1 / pair.high, 1 / pair.low)

    def test_executions_of_one_backend_have_names_of_their_own(self, run: Run) -> None:
        names = [arm.name for arm in groups(run.summary)[0].arms]
        assert names == ["torch", "tensorflow", "jax", "jax eager", "torch@old"]

    def test_styles_are_distinct_and_fixed(self) -> None:
        found = styles([("mine", "compiled"), ("jax", "compiled"), ("torch", "eager")])
        assert len({(style.colour, style.symbol) for style in found.values()}) == 3
        assert found["jax", "compiled"] == styles([("jax", "compiled")])["jax", "compiled"]


class TestTerminal:
    @pytest.mark.parametrize("width", [100, 160])
    def test_every_cell_has_its_line(self, run: Run, width: int) -> None:
        text = printed(run.summary, width)
        assert max(map(len, text.splitlines())) <= width
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
        for comparison in run.summary.comparisons:
            assert words.ratio(comparison) in text
            assert words.verdict(comparison) in text
        assert "first look: 2 launches" in text
        assert run.summary.failures[0] in text
        assert run.summary.notes[0] in text

    def test_nothing_typed_is_markup_or_reaches_the_terminal_as_a_command(
        self, hostile: Run
    ) -> None:
        text = printed(hostile.summary, 4000)
        assert "\x1b" not in text
        assert words.plain(HOSTILE) in text

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


class TestData:
    def test_parquet_gives_back_the_records(self, run: Run, tmp_path: Path) -> None:
        tables.write(run, tmp_path)
        blocks = pd.read_parquet(tmp_path / "blocks.parquet")
        records = [record for record in run.records if isinstance(record, BlockRecord)]
        for name in ("launch", "round", "position", "steps", "seconds"):
            assert blocks[name].tolist() == [getattr(record, name) for record in records]
        assert blocks["task"].tolist() == [record.cell.task for record in records]
        assert blocks["cpu_per_wall"].tolist() == [record.noise.cpu_per_wall for record in records]
        assert blocks["pressure"].isna().all()
        sizes = [record for record in run.records if isinstance(record, MemoryRecord)]
        memory = pd.read_parquet(tmp_path / "memory.parquet")
        assert memory["process_bytes"].tolist() == [record.process for record in sizes]
        assert memory["reserved_bytes"].isna().all()
        parity = pd.read_parquet(tmp_path / "parity.parquet")
        results = [record.result for record in run.records if isinstance(record, ParityRecord)]
        assert parity["error"].tolist() == [result.error for result in results]
        assert parity["location_path"].dropna().tolist() == ["blocks.0.norm1"]
        assert json.loads(parity["errors"][0]) == results[0].errors
        losses = pd.read_parquet(tmp_path / "losses.parquet")
        assert losses["loss"].tolist() == [
            loss for training in run.summary.trainings for loss in training.losses
        ]

    def test_csv_and_parquet_agree(self, run: Run, tmp_path: Path) -> None:
        tables.write(run, tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {
            f"{name}.{kind}" for name in frames.COLUMNS for kind in ("csv", "parquet")
        }
        for name, columns in frames.COLUMNS.items():
            found = pd.read_csv(tmp_path / f"{name}.csv", dtype=columns)
            pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / f"{name}.parquet"))

    def test_cells_are_those_of_the_summary(self, run: Run) -> None:
        found = frames.frames(run)["cells"]
        rates = [cell.samples_per_second for cell in run.summary.cells]
        assert [None if pd.isna(rate) else rate for rate in found["samples_per_second"]] == rates
        assert found["status"].tolist() == [cell.status for cell in run.summary.cells]

    @pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
    def test_a_spreadsheet_runs_no_formula(self, run: Run, tmp_path: Path, start: str) -> None:
        tables.write(sample_run(Path("run"), reason=start), tmp_path)
        found = pd.read_csv(tmp_path / "cells.csv")["reason"].dropna().unique().tolist()
        assert found == [f"'{start}"]
        kept = pd.read_parquet(tmp_path / "cells.parquet")["reason"].dropna().unique().tolist()
        assert kept == [start]

    def test_empty_tables_have_their_columns(self, run: Run, tmp_path: Path) -> None:
        tables.write(emptied(run), tmp_path)
        for name, columns in frames.COLUMNS.items():
            assert list(pd.read_parquet(tmp_path / f"{name}.parquet").columns) == list(columns)

    def test_a_failed_write_leaves_what_was_there(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "cells.csv").write_text("before")

        def full(*_: object) -> None:
            raise OSError("no space left")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(WriteError, match="no space"):
            tables.write(run, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["cells.csv"]
        assert (tmp_path / "cells.csv").read_text() == "before"


class TestFigures:
    def test_each_section_has_its_figures_and_their_tables(self, run: Run) -> None:
        found = figures(run)
        assert {name: len(section) for name, section in found.items()} == {
            "accuracy": 9,  # three of each task
            "parity": 3,
        }
        for section in found.values():
            for figure in section:
                assert {len(row) for row in figure.rows} == {len(figure.heads)}
                assert len(figure.arms) == len(figure.plot.data)  # what the filters go by

    def test_names_are_no_markup_for_plotly(self, hostile: Run) -> None:
        for section in figures(hostile).values():
            for figure in section:
                text = json.dumps(figure.plot.drawn()).replace("<br>", "")
                assert "<" not in text


class Parsed(HTMLParser):
    """What a browser would make of a page: elements, attributes, texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag != "script":
            self.texts.append(data)


class TestPage:
    def test_every_cell_and_verdict_is_there(self, run: Run, page: str) -> None:
        for cell in run.summary.cells:
            assert f'data-value="{cell.samples_per_second or ""}"' in page
            assert words.spaced(cell.status) in page
            assert html.escape(cell.reason or "", quote=True) in page
        for comparison in run.summary.comparisons:
            assert words.sentence(comparison) in page
            assert words.ratio(comparison) in page
        assert html.escape(run.manifest.command).replace("&#x27;", "&#39;") in page

    def test_it_needs_no_network(self, page: str) -> None:
        loading = ("src", "href", "action", "data", "poster", "srcset", "formaction")
        found = [
            value
            for _, attributes in Parsed(page).elements
            for name, value in attributes.items()
            if name in loading
        ]
        assert found
        assert all(value and value.startswith(("#", "data:")) for value in found)
        style = page.split("<style>")[1].split("</style>")[0]
        assert "url(" not in style
        assert "@import" not in style

    def test_hostile_texts_stay_texts(self, page: str, hostile: Run) -> None:
        attacked, harmless = Parsed(render(hostile)), Parsed(page)
        tags = [tag for tag, _ in attacked.elements]
        assert "img" not in tags
        assert tags.count("script") == [tag for tag, _ in harmless.elements].count("script")
        assert not [
            name for _, attributes in attacked.elements for name in attributes if name[:2] == "on"
        ]
        assert any(HOSTILE in text for text in attacked.texts)
        assert not any("49" in text and "quoted" in text for text in attacked.texts)

    def test_an_unfinished_run_says_so_and_damage_is_told(self, run: Run) -> None:
        text = render(emptied(run))
        assert "PARTIAL" in text
        assert "line 7: checksum differs" in text
        assert f"<h1>{run.manifest.id}" in text


@pytest.mark.parametrize(
    ("value", "limit", "told"),
    [
        (3.2e-4, 8.6e-8, ("3.2e-04", "8.6e-08")),
        (8.62e-8, 8.6e-8, ("8.62e-08", "8.60e-08")),
        (1e-9, 1e-9, ("1.0e-09", "1.0e-09")),
    ],
)
def test_an_error_and_its_threshold_are_told_apart(value, limit, told):
    assert words.apart(value, limit) == told
    assert words.error_and_threshold(value, limit) == told
    assert words.error_and_threshold(None, limit) == ("n/a", words.error(limit))
