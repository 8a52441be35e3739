"""Parity asked from the command line: all questions about some tasks, seeds and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from suite import cost, runner
from suite.crew import Crew, Roster
from suite.material import Material
from suite.parity import gate
from suite.parity.reference import Reference
from suite.plan import Lane
from suite.progress import reporter
from suite.store import directory
from suite.store.schema import ParityRecord, ParityResult
from suite.store.writing import keep_logs, scratch
from suite.work import Stage
from suite.worker.discovery import Arm
from tasks.base import Task


@contextmanager
def reference_of(found: Sequence[Arm]) -> Iterator[tuple[Reference, Roster, Path]]:
    """The reference, the roster of all workers, and where their files go."""
    roster = Roster(cached=True)
    with (
        scratch() as files,
        Crew(roster, files / "oracle", "reference", share=cost.AT_ONCE) as oracle,
    ):
        (files / "oracle").mkdir()
        yield Reference(runner.reference_lane(found), oracle, files), roster, files


def ask(
    wanted: Sequence[tuple[Task, int]],
    asked: Sequence[Lane],
    reference: Reference,
    roster: Roster,
    files: Path,
    quiet: bool,
) -> list[ParityResult]:
    """Parity's answers for these tasks and seeds; the logs are kept only if a worker failed."""
    materials = [Material(task, seed, files) for task, seed in wanted]
    with reporter(quiet) as progress, directory.create(files, directory.new_id()) as store:
        tracks = gate.tracks(asked, materials, reference, files, thorough=True)
        stage = Stage(name="parity", at_once=cost.PARITY_AT_ONCE, share=cost.AT_ONCE, tracks=tracks)
        runner.perform([stage], store, roster, progress)
    records, _ = directory.read_records(store.path)
    results = [record.result for record in records if isinstance(record, ParityRecord)]
    if any(result.verdict == "failed" for result in results):
        keep_logs(store.path / "logs")
    return sorted(results, key=_place)


def _place(result: ParityResult) -> tuple[str, ...]:
    """Where it stands in the table; function, precision, training follow by the alphabet."""
    return (result.task, result.backend, result.execution, result.question, f"{result.seed:9}")
