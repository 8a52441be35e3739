"""Runs of tests.large_run in which something went wrong, as the records of a real one say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from suite.store import directory
from suite.store.lines import line_of
from suite.store.schema import (
    BlockRecord,
    Cell,
    FailureRecord,
    ParityRecord,
    ParityVerdict,
    Record,
    Status,
)
from tests.large_run import large_run

CELLS = 10  # cnn-tiny, train and infer, in five arms
Change = Callable[[Path], None]
Chosen = Callable[[Cell], bool]


def small_run(folder: Path, name: str, *changes: Change, **options: object) -> Path:
    """A run of ten cells, changed one way after the other."""
    created = "2026-03-01T10:00:00+00:00"
    path = large_run(folder, id=name, created=created, cells=CELLS, blocks=5, **options)  # type: ignore[arg-type]
    for change in changes:
        change(path)
    return path


def of(backend: str, phase: str | None = None) -> Chosen:
    """These cells."""
    return lambda cell: cell.backend == backend and phase in (None, cell.phase)


def ended(chosen: Chosen, status: Status, reason: str, timed: bool = False) -> Change:
    """Cells with another status; their times are there only if they are ``timed``."""

    def change(path: Path) -> None:
        failures = [
            FailureRecord(
                unit="memory",
                attempt="a",
                stage="timing",
                status=status,
                reason=reason,
                cell=cell,
            )
            for cell in directory.read_manifest(path).cells
            if chosen(cell)
        ]
        kept = [r for r in _records(path) if timed or not _times(r, chosen)]
        _write(path, [*failures, *kept])

    return change


def answered(backend: str, verdict: ParityVerdict | None, precision: str = "float64") -> Change:
    """Another parity of a backend; None: it was not asked."""

    def change(path: Path) -> None:
        found: list[Record] = []
        for record in _records(path):
            if isinstance(record, ParityRecord) and record.result.backend == backend:
                if verdict is None:
                    continue
                update = {"verdict": verdict, "precision": precision}
                result = record.result.model_copy(update=update)
                record = record.model_copy(update={"result": result})
            found.append(record)
        _write(path, found)

    return change


def without(chosen: Chosen) -> Change:
    """A run that never set out to measure these cells."""

    def change(path: Path) -> None:
        manifest = directory.read_manifest(path)
        cells = [cell for cell in manifest.cells if not chosen(cell)]
        changed = manifest.model_copy(update={"cells": cells})
        (path / "manifest.json").write_text(changed.model_dump_json(by_alias=True))
        _write(path, [r for r in _records(path) if not _times(r, chosen)])

    return change


def told(file: str, **fields: object) -> Change:
    """Other fields in the manifest or the environment."""

    def change(path: Path) -> None:
        content = json.loads((path / file).read_text())
        (path / file).write_text(json.dumps(content | fields))

    return change


def _records(path: Path) -> Iterable[Record]:
    return directory.read_records(path)[0]


def _times(record: Record, chosen: Chosen) -> bool:
    return isinstance(record, BlockRecord) and chosen(record.cell)


def _write(path: Path, records: Iterable[Record]) -> None:
    (path / "records.jsonl").write_bytes(b"".join(map(line_of, records)))
