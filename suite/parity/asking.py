"""Parity asked from the command line: all questions about some tasks, seeds and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from suite import cost, runner
from suite.crew import Roster
from suite.material import Material
from suite.parity import gate
from suite.parity.reference import Reference, opened
from suite.plan import Lane
from suite.progress import reporter
from suite.store import directory
from suite.store.directory import RunDirectory
from suite.store.schema import ParityRecord, ParityResult
from suite.store.writing import keep_logs, scratch
from suite.work import Stage
from suite.worker.discovery import Arm
from tasks.base import Task


class Interrupted(KeyboardInterrupt):
    """Not all was asked; ``results`` are the answers until then."""

    def __init__(self, results: list[ParityResult]) -> None:
        super().__init__()
        self.results = results


@contextmanager
def references_of(found: Sequence[Arm]) -> Iterator[tuple[list[Reference], Roster, Path]]:
    """The references, the roster of all workers, and where their files go."""
    roster = Roster(cached=True)
    with scratch() as files:
        logs = files / "logs"
        logs.mkdir()
        with opened(runner.reference_lane(found), roster, logs, files) as known:
            yield known, roster, files


def ask(
    wanted: Sequence[tuple[Task, int]],
    asked: Sequence[Lane],
    references: Sequence[Reference],
    roster: Roster,
    files: Path,
    quiet: bool,
) -> list[ParityResult]:
    """Parity's answers for these tasks and seeds; the logs are kept only if a worker failed. Raises
    Interrupted.
    """
    materials = [Material(task, seed, files) for task, seed in wanted]
    with reporter(quiet) as progress, directory.create(files, directory.new_id()) as store:
        tracks = gate.tracks(asked, materials, references, files, thorough=True)
        share = cost.parity_share()
        stage = Stage(name="parity", at_once=share + 1, share=share, tracks=tracks)
        try:
            runner.perform([stage], store, roster, progress)
        except KeyboardInterrupt:
            raise Interrupted(_answered(store)) from None
    results = _answered(store)
    if any(result.verdict == "failed" for result in results):
        keep_logs(store.path / "logs")
    return results


def _answered(store: RunDirectory) -> list[ParityResult]:
    records, _ = directory.read_records(store.path)
    results = [record.result for record in records if isinstance(record, ParityRecord)]
    return sorted(results, key=_place)


def _place(result: ParityResult) -> tuple[str, ...]:
    """Where it stands in the table; function, precision, training follow by the alphabet, and what
    is timed stands before the question that it belongs to.
    """
    of = (result.task, result.backend, result.execution, result.question, f"{result.seed:9}")
    return (*of, "" if result.phase else "whole")
