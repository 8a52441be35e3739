"""The run as tidy data: one row per observation, as CSV for people and Parquet for programs.

The columns are fields of the schema, which has their types: a new field of the summary's cells is a
new column of ``cells``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from suite.analysis import words
from suite.files import write_whole, writing
from suite.records.run import Run
from suite.records.schema import (
    AccuracyRecord,
    BlockRecord,
    CeilingRecord,
    Cell,
    CellMemory,
    CellSummary,
    ComparisonSummary,
    Exchange,
    ExchangeRecord,
    GpuNoise,
    Interval,
    Latency,
    LineRecord,
    Location,
    MemoryRecord,
    Noise,
    ParityRecord,
    ParityResult,
    PhaseRecord,
    ReferenceLine,
    Training,
)
from suite.report.headlines import ends

if TYPE_CHECKING:
    import pandas as pd

PYARROW = find_spec("pyarrow") is not None
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # what spreadsheets take for a formula

# pandas' nullable types, so that a missing integer stays missing and a whole float stays a float.
TEXT = "string"
TYPES: dict[str, tuple[Any, Any]] = {
    "Int64": (int, int | None),
    "Float64": (float, float | None),
    "boolean": (bool, bool | None),
}
# The models that stand within others, and what the columns of their fields are called.
INSIDE: dict[str, tuple[type[BaseModel], str]] = {
    "cell": (Cell, "{}"),
    "noise": (Noise, "{}"),
    "gpu": (GpuNoise, "{}"),
    "memory": (CellMemory, "{}_bytes"),
    "latency": (Latency, "latency_{}"),
    "location": (Location, "location_{}"),
    "step_seconds": (Interval, "step_seconds_{}"),
}
MADE = {  # the columns that no field is
    "measured": TEXT,  # import, build, compile, ...; ``phase`` is the cell's
    "baseline_bytes": "Int64",
    "per_second": "Float64",
    "step": "Int64",
    "loss": "Float64",
}
CELL = tuple(Cell.model_fields)
TRAINED = ("task", "backend", "execution", "precision", "device")
UNKNOWN = {"low": None, "high": None}  # the ends of an interval that determines nothing


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    """With the fields of models within it in their place. An interval's value has the name of the
    interval.
    """
    found: dict[str, Any] = {}
    for name, value in told.items():
        if name in INSIDE and isinstance(value, dict):
            for key, each in _flat(value).items():
                found[INSIDE[name][1].format(key).removesuffix("_value")] = each
        else:
            found[name] = value
    return found


def _types(model: type[BaseModel]) -> dict[str, Any]:
    """pandas' type of each field. What is neither number nor truth value is text; lists and
    mappings are JSON.
    """
    found: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if name in INSIDE:
            found[name] = _types(INSIDE[name][0])
        else:
            kinds = (kind for kind, types in TYPES.items() if field.annotation in types)
            found[name] = next(kinds, TEXT)
    return found


def _columns(model: type[BaseModel], *names: str) -> dict[str, str]:
    """The columns of these names, or of all fields, with their types."""
    types = _flat(_types(model))
    return {name: (MADE | types)[name] for name in names or types}


COLUMNS: dict[str, dict[str, str]] = {
    "cells": _columns(CellSummary),
    "comparisons": _columns(ComparisonSummary),
    "blocks": _columns(
        BlockRecord,
        *CELL,
        *("launch", "round", "position", "steps", "lead_in", "seconds", "void", "disturbed"),
        *("cpu_per_wall", "steal", "pressure", "known_work_ms", "involuntary_switches"),
        *("sm_mhz", "memory_mhz", "celsius", "others", "watts", "throttled"),  # of a GPU
    ),
    "phases": _columns(
        PhaseRecord, "measured", "seconds", "launch", *CELL, "steady", "samples", "facts"
    ),
    "memory": _columns(
        CellSummary, *CELL, *(f"{kind}_bytes" for kind in (*CellMemory.model_fields, "baseline"))
    ),
    "ceilings": _columns(
        CeilingRecord,
        *("backend", "execution", "precision", "device", "what", "how"),
        *("amount", "step_seconds", "per_second"),
    ),
    "parity": _columns(
        ParityResult,
        *(*TRAINED, "question", "phase", "verdict", "reason", "batch_size", "error", "threshold"),
        *("location_kind", "location_path", "location_field", "location_guess", "errors"),
    ),
    "trainings": _columns(
        Training,
        *(*TRAINED, "seed", "epochs", "steps", "batch_size", "seconds"),
        *("test_accuracy", "test_loss", "test_macro_f1", "test_correct", "test_samples"),
        *("data_hash", "start", "target", "steps_to_target", "seconds_to_target", "repeats"),
        *("score", "bits_per_byte", "token_accuracy", "error_rate", "sequence_accuracy"),
        *("weights_accuracy", "weights_loss"),
    ),
    "lines": _columns(ReferenceLine),
    "exchanges": _columns(Exchange),
    "losses": _columns(Training, *TRAINED, "seed", "start", "step", "loss"),
}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """Every table by name; an empty one has its columns all the same."""
    import pandas as pd  # which commands that write no table start without

    return {
        name: pd.DataFrame(
            [_row(told, columns) for told in _observations(run, name)], columns=list(columns)
        ).astype(columns)
        for name, columns in COLUMNS.items()
    }


def write(run: Run, folder: Path) -> None:
    """Write each table as ``NAME.csv`` and ``NAME.parquet``, whole or not at all. Lost in both:
    units and attempts, what was planned, the environment, parity's digits and trajectories; lists
    and mappings are JSON in a cell. An interval that determines nothing is missing, and so is one
    over two launches, which stand in a column of their own. Lost in CSV besides: types, and the
    difference between missing and empty. Text in it that a spreadsheet would run has an apostrophe
    in front. Parquet needs pyarrow, 45 MB, which is always installed with tribench and may be left
    out by hand.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames(run).items():
        # With this line end a lone \r within a text is quoted; with \n it would end the row.
        text = _guarded(frame).to_csv(index=False, lineterminator="\r\n")
        write_whole(folder / f"{name}.csv", text)
        if PYARROW:
            write_whole(folder / f"{name}.parquet", frame.to_parquet(index=False))


def _row(told: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    values = {name: value for name, value in _flat(told).items() if name in columns}
    return {
        name: json.dumps(value) if isinstance(value, list | dict) else value
        for name, value in values.items()
    }


def _observations(run: Run, table: str) -> Iterator[dict[str, Any]]:
    """What the rows are made of, as the schema has it."""
    if table == "cells":
        for cell in run.summary.cells:
            told = cell.model_dump()
            if not words.determined(cell.step_seconds, cell.launches):
                told["step_seconds"] = (told["step_seconds"] or {}) | UNKNOWN
            yield told
    elif table == "comparisons":
        for pair in run.summary.comparisons:
            yield pair.model_dump() | ({} if ends(pair) else UNKNOWN)
    for record in run.records:
        match table, record:
            case "blocks", BlockRecord():
                told = record.model_dump()
                if gpu := told["noise"]["gpu"]:
                    gpu["throttled"] = ", ".join(gpu["throttled"])
                yield told
            case "phases", PhaseRecord():  # an import has no cell, whose phase it would be
                yield record.model_dump() | {"measured": record.phase, "phase": None}
            case "memory", MemoryRecord():
                yield {"cell": record.cell.model_dump(), "memory": record.model_dump()}
            case "ceilings", CeilingRecord():
                for seconds in record.step_seconds:
                    rate = record.amount / seconds
                    yield record.model_dump() | {"step_seconds": seconds, "per_second": rate}
            case "parity", ParityRecord():
                yield record.result.model_dump()
            case "trainings", AccuracyRecord():
                yield record.training.model_dump()
            case "lines", LineRecord():
                yield record.line.model_dump()
            case "exchanges", ExchangeRecord():
                yield record.exchange.model_dump()
            case "losses", AccuracyRecord():
                shared = record.training.model_dump(include={*TRAINED, "seed", "start"})
                for step, loss in enumerate(record.training.losses):
                    yield {**shared, "step": step, "loss": loss}


def _guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == TEXT:
            risky = frame[name].str.startswith(FORMULA_STARTS).fillna(False)
            frame[name] = frame[name].mask(risky, "'" + frame[name])
    return frame
