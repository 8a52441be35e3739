"""The run as tidy data: one row per observation, as CSV for people and Parquet for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.analysis import words
from suite.files import write_whole, writing
from suite.records.run import Run
from suite.records.schema import (
    AccuracyRecord,
    BlockRecord,
    CeilingRecord,
    Cell,
    CellMemory,
    ComparisonSummary,
    ExchangeRecord,
    Interval,
    LineRecord,
    MemoryRecord,
    Noise,
    ParityRecord,
    ParityResult,
    PhaseRecord,
    Training,
)

if TYPE_CHECKING:
    import pandas as pd

PYARROW = find_spec("pyarrow") is not None
FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # what spreadsheets take for a formula

# pandas' nullable types, so that a missing integer stays missing and a whole float stays a float.
TEXT, WHOLE, REAL, TRUTH = "string", "Int64", "Float64", "boolean"
CELL = {
    "task": TEXT,
    "phase": TEXT,
    "backend": TEXT,
    "execution": TEXT,
    "precision": TEXT,
    "device": TEXT,
    "batch_size": WHOLE,
}
CELL_MEMORY = tuple(CellMemory.model_fields)
COMPARED = {name: CELL[name] for name in ("task", "phase", "precision", "device", "batch_size")}
TRAINED = {name: CELL[name] for name in ("task", "backend", "execution", "precision", "device")}
COLUMNS: dict[str, dict[str, str]] = {
    "cells": {
        **CELL,
        "status": TEXT,
        "reason": TEXT,
        "samples_per_second": REAL,
        **dict.fromkeys(("step_seconds", "step_seconds_low", "step_seconds_high"), REAL),
        **dict.fromkeys(("launches", "blocks"), WHOLE),
        "compile_seconds": REAL,
        **dict.fromkeys(("latency_p50", "latency_p90", "latency_p99", "fed_seconds"), REAL),
        "joules_per_sample": REAL,
        "break_even_steps": WHOLE,
        **dict.fromkeys((f"{kind}_bytes" for kind in CELL_MEMORY), WHOLE),
        "accuracy": REAL,
        "test_samples": WHOLE,
        "parity": TEXT,
        **dict.fromkeys(("flops_per_second", "of_ceiling"), REAL),
        "command": TEXT,
        "launch_seconds": TEXT,  # JSON
    },
    "comparisons": {
        **COMPARED,
        **dict.fromkeys(("base", "new"), TEXT),
        **dict.fromkeys(("ratio", "low", "high", "delta"), REAL),
        "launches": WHOLE,
        "paired": TRUTH,
        **dict.fromkeys(("verdict", "reason", "launch_ratios"), TEXT),  # the last one JSON
    },
    "blocks": {
        **CELL,
        **dict.fromkeys(("launch", "round", "position", "steps", "lead_in"), WHOLE),
        "seconds": REAL,
        "void": TEXT,
        "disturbed": TRUTH,
        **dict.fromkeys(("cpu_per_wall", "steal", "pressure", "known_work_ms"), REAL),
        "involuntary_switches": WHOLE,
        **dict.fromkeys(("sm_mhz", "memory_mhz", "celsius", "others"), WHOLE),  # of a GPU
        "watts": REAL,
        "throttled": TEXT,
    },
    "phases": {
        "measured": TEXT,  # import, build, compile, ...; ``phase`` is the cell's
        "seconds": REAL,
        "launch": WHOLE,
        **CELL,
        "steady": TRUTH,
        **dict.fromkeys(("samples", "facts"), TEXT),  # JSON
    },
    "memory": {
        **CELL,
        **dict.fromkeys((f"{kind}_bytes" for kind in (*CELL_MEMORY, "baseline")), WHOLE),
    },
    "ceilings": {
        **dict.fromkeys(("backend", "execution", "precision", "device", "what", "how"), TEXT),
        "amount": WHOLE,
        **dict.fromkeys(("step_seconds", "per_second"), REAL),
    },
    "parity": {
        **TRAINED,
        **dict.fromkeys(("question", "phase", "verdict", "reason"), TEXT),
        "batch_size": WHOLE,
        **dict.fromkeys(("error", "threshold"), REAL),
        **{f"location_{part}": TEXT for part in ("kind", "path", "field", "guess")},
        "errors": TEXT,  # JSON
    },
    "trainings": {
        **TRAINED,
        **dict.fromkeys(("seed", "epochs", "steps", "batch_size"), WHOLE),
        "seconds": REAL,
        **dict.fromkeys(("test_accuracy", "test_loss", "test_macro_f1"), REAL),
        **dict.fromkeys(("test_correct", "test_samples"), WHOLE),
        "data_hash": TEXT,
        "start": TEXT,
        "target": REAL,
        "steps_to_target": WHOLE,
        "seconds_to_target": REAL,
        "repeats": TRUTH,
    },
    "lines": {
        **dict.fromkeys(("task", "model"), TEXT),
        **dict.fromkeys(("test_accuracy", "test_macro_f1"), REAL),
        "test_samples": WHOLE,
        "seconds": REAL,
        "data_hash": TEXT,
    },
    "exchanges": {
        "task": TEXT,
        "seed": WHOLE,
        **dict.fromkeys(("precision", "trained_in", "evaluated_in"), TEXT),
        "samples": WHOLE,
        **dict.fromkeys(("error", "rounding"), REAL),
        "wrong": WHOLE,
        "disagreements": TEXT,  # JSON
    },
    "losses": {**TRAINED, "seed": WHOLE, "start": TEXT, "step": WHOLE, "loss": REAL},
}


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """Every table by name; an empty one has its columns all the same."""
    import pandas as pd  # which commands that write no table start without

    return {
        name: pd.DataFrame(list(_rows(run, name)), columns=list(columns)).astype(columns)
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


def _rows(run: Run, name: str) -> Iterator[dict[str, Any]]:
    if name == "cells":
        for cell in run.summary.cells:
            yield {
                **cell.model_dump(exclude={"step_seconds", "memory", "latency"}),
                **{f"latency_{name}": value for name, value in dict(cell.latency or ()).items()},
                **_interval(cell.step_seconds, cell.launches),
                **_bytes(cell.memory.model_dump()),
                "launch_seconds": json.dumps(cell.launch_seconds),
            }
    elif name == "comparisons":
        yield from map(_comparison, run.summary.comparisons)
    else:
        for record in run.records:
            match name, record:
                case "blocks", BlockRecord():
                    yield {**record.model_dump(), **_cell(record.cell), **_noise(record.noise)}
                case "phases", PhaseRecord():
                    yield _phase(record)
                case "memory", MemoryRecord():
                    yield {**_cell(record.cell), **_bytes(record.model_dump())}
                case "ceilings", CeilingRecord():
                    yield from _ceiling(record)
                case "parity", ParityRecord():
                    yield _parity(record.result)
                case "trainings", AccuracyRecord():
                    yield record.training.model_dump()
                case "lines", LineRecord():
                    yield record.line.model_dump()
                case "exchanges", ExchangeRecord():
                    told = record.exchange.model_dump()
                    yield told | {"disagreements": json.dumps(told["disagreements"])}
                case "losses", AccuracyRecord():
                    yield from _losses(record.training)


def _cell(cell: Cell) -> dict[str, Any]:
    return cell.model_dump()


def _interval(interval: Interval | None, launches: int) -> dict[str, float]:
    """Without ends where they determine nothing."""
    if interval is None:
        return {}
    if not words.determined(interval, launches):
        return {"step_seconds": interval.value}
    names = ("step_seconds", "step_seconds_low", "step_seconds_high")
    return dict(zip(names, (interval.value, interval.low, interval.high), strict=True))


def _comparison(found: ComparisonSummary) -> dict[str, Any]:
    """As in the summary; without ends where they determine nothing."""
    told = found.model_dump() | {"launch_ratios": json.dumps(found.launch_ratios)}
    interval = Interval(value=found.ratio, low=found.low, high=found.high)
    ends = {} if words.determined(interval, found.launches) else {"low": None, "high": None}
    return told | ends


def _bytes(sizes: dict[str, Any]) -> dict[str, Any]:
    kinds = (*CELL_MEMORY, "baseline")
    return {f"{kind}_bytes": sizes[kind] for kind in kinds if kind in sizes}


def _noise(noise: Noise) -> dict[str, Any]:
    if noise.gpu is None:
        return dict(noise)
    return {**dict(noise), **dict(noise.gpu), "throttled": ", ".join(noise.gpu.throttled)}


def _phase(record: PhaseRecord) -> dict[str, Any]:
    return {
        **record.model_dump(),
        **(_cell(record.cell) if record.cell else {"phase": None}),
        "measured": record.phase,
        "samples": json.dumps(record.samples),
        "facts": json.dumps(record.facts),
    }


def _ceiling(record: CeilingRecord) -> Iterator[dict[str, Any]]:
    for seconds in record.step_seconds:
        rate = record.amount / seconds
        yield {**record.model_dump(), "step_seconds": seconds, "per_second": rate}


def _parity(result: ParityResult) -> dict[str, Any]:
    location = dict(result.location) if result.location else {}
    return {
        **result.model_dump(),
        **{f"location_{part}": value for part, value in location.items()},
        "errors": json.dumps(result.errors),
    }


def _losses(training: Training) -> Iterator[dict[str, Any]]:
    shared = {name: getattr(training, name) for name in (*TRAINED, "seed", "start")}
    for step, loss in enumerate(training.losses):
        yield {**shared, "step": step, "loss": loss}


def _guarded(frame: pd.DataFrame) -> pd.DataFrame:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == TEXT:
            risky = frame[name].str.startswith(FORMULA_STARTS).fillna(False)
            frame[name] = frame[name].mask(risky, "'" + frame[name])
    return frame
