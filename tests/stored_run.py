"""The made-up run as a directory on disk, closed as a real one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from suite import session
from suite.store.directory import RunDirectory
from suite.store.run import Run
from suite.store.schema import AnyRecord, PhaseRecord
from tests.sample_run import sample_run


def same(record: AnyRecord) -> AnyRecord:
    """As it is."""
    return record


def store(run: Run, change: Callable[[AnyRecord], AnyRecord] = same) -> Path:
    """Write this run's records, each changed, to its path, and close it."""
    run.path.mkdir(parents=True)
    with RunDirectory(run.path) as directory:
        directory.write("manifest.json", run.manifest)
        directory.write("environment.json", run.environment)
        for record in map(change, run.records):
            directory.append(record)
        for unit, attempt in dict.fromkeys((r.unit, r.attempt) for r in run.records):
            directory.append(PhaseRecord(unit=unit, attempt=attempt, phase="unit", seconds=1))
        session.close(directory, complete=run.manifest.complete)
    return run.path


def stored_sample(
    folder: Path, change: Callable[[AnyRecord], AnyRecord] = same, **changes: Any
) -> Path:
    """``sample_run`` in FOLDER/ID; ``changes`` are fields of its manifest."""
    run = sample_run(folder, **changes)
    return store(
        Run(
            path=folder / run.manifest.id,
            manifest=run.manifest,
            environment=run.environment,
            records=run.records,
            summary=run.summary,
        ),
        change,
    )
