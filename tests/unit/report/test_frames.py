"""Tidy data: CSV and Parquet hold the records, with their types, and no formula."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import parquet

from suite.files import WriteError
from suite.records.run import Run
from suite.records.schema import (
    BlockRecord,
    MemoryRecord,
    ParityRecord,
)
from suite.report import frames
from suite.report.terminal import tables
from tests.fixtures.sample_run import sample_run
from tests.fixtures.summaries import emptied


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


def test_tables_are_read_back_by_pyarrow_and_pandas_with_their_types(run, tmp_path):
    frames.write(run, tmp_path)
    arrow = {"string": "large_string", "Int64": "int64", "Float64": "double", "boolean": "bool"}
    for name, columns in frames.COLUMNS.items():
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        found = {one.name: str(one.type).replace("large_", "") for one in table.schema}
        assert found == {n: arrow[kind].replace("large_", "") for n, kind in columns.items()}
        with (tmp_path / f"{name}.csv").open(newline="") as file:
            assert next(csv.reader(file)) == list(columns)
        text = pd.read_csv(tmp_path / f"{name}.csv", dtype=columns)
        assert len(text) == table.num_rows
        for column, kind in columns.items():
            if kind in ("Int64", "Float64"):
                pd.testing.assert_series_equal(text[column], table.to_pandas()[column].astype(kind))


CELL = "task phase backend execution precision device batch_size"
TRAINED = "task backend execution precision device"
KEPT = {  # the columns of every table, in the order in which runs were published with them
    "cells": f"{CELL} status reason samples_per_second step_seconds step_seconds_low "
    "step_seconds_high launches blocks compile_seconds latency_p50 latency_p90 latency_p99 "
    "fed_seconds joules_per_sample break_even_steps live_bytes reserved_bytes process_bytes "
    "planned_bytes device_bytes accuracy test_samples parity flops_per_second of_ceiling command "
    "launch_seconds cpu_seconds bits_per_byte token_accuracy error_rate tokens_per_second",
    "comparisons": "task phase precision device batch_size base new ratio low high delta launches "
    "paired verdict reason launch_ratios",
    "blocks": f"{CELL} launch round position steps lead_in seconds void disturbed cpu_per_wall "
    "steal pressure known_work_ms involuntary_switches sm_mhz memory_mhz celsius others watts "
    "throttled",
    "phases": f"measured seconds launch {CELL} steady samples facts",
    "memory": f"{CELL} live_bytes reserved_bytes process_bytes planned_bytes device_bytes "
    "baseline_bytes",
    "ceilings": "backend execution precision device what how amount step_seconds per_second",
    "parity": f"{TRAINED} question phase verdict reason batch_size error threshold location_kind "
    "location_path location_field location_guess errors",
    "trainings": f"{TRAINED} seed epochs steps batch_size seconds test_accuracy test_loss "
    "test_macro_f1 test_correct test_samples data_hash start target steps_to_target "
    "seconds_to_target repeats score bits_per_byte token_accuracy error_rate sequence_accuracy "
    "weights_accuracy weights_loss",
    "lines": "task model test_accuracy test_macro_f1 test_samples seconds data_hash bits_per_byte "
    "token_accuracy error_rate",
    "exchanges": "task seed precision trained_in evaluated_in samples error rounding wrong "
    "disagreements",
    "losses": f"{TRAINED} seed start step loss",
}
TYPES = {  # of the columns that are no text
    "Int64": "batch_size launches blocks break_even_steps live_bytes reserved_bytes process_bytes "
    "planned_bytes device_bytes baseline_bytes test_samples launch round position steps lead_in "
    "involuntary_switches sm_mhz memory_mhz celsius others amount seed epochs test_correct "
    "steps_to_target wrong step",
    "Float64": "samples_per_second step_seconds step_seconds_low step_seconds_high compile_seconds "
    "latency_p50 latency_p90 latency_p99 fed_seconds cpu_seconds joules_per_sample accuracy "
    "flops_per_second of_ceiling ratio low high delta seconds cpu_per_wall steal pressure "
    "known_work_ms watts per_second error threshold test_accuracy test_loss test_macro_f1 "
    "target seconds_to_target rounding loss bits_per_byte token_accuracy error_rate "
    "tokens_per_second sequence_accuracy weights_accuracy weights_loss",
    "boolean": "paired disturbed steady repeats",
}


def test_columns_keep_their_names_their_order_and_their_types():
    known = {name: kind for kind, names in TYPES.items() for name in names.split()}
    assert frames.COLUMNS.keys() == KEPT.keys()
    for table, names in KEPT.items():
        types = known | ({"samples": "Int64"} if table == "exchanges" else {})
        wanted = [(name, types.get(name, "string")) for name in names.split()]
        assert list(frames.COLUMNS[table].items()) == wanted, table
