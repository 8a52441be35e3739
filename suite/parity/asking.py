"""Parity asked from the command line: all questions about some tasks, seeds and programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from suite.engine.inputs import TaskInputs
from suite.engine.job import Stage
from suite.engine.pool import LiveWorkers
from suite.engine.progress import reporter
from suite.engine.scheduler import perform
from suite.files import keep_logs, scratch
from suite.parity import gate
from suite.parity.reference import Reference, opened
from suite.plan import estimate
from suite.plan.configurations import Configuration, reference_configuration
from suite.records.schema import ParityRecord, ParityResult
from suite.store import directory
from suite.store.directory import RunDirectory
from suite.worker.installations import Installation
from suite.worker.process import WorkerSettings
from tasks.base import Task

CACHED = WorkerSettings(cached=True)


class Interrupted(KeyboardInterrupt):
    """Not all was asked; ``results`` are the answers until then."""

    def __init__(self, results: list[ParityResult]) -> None:
        super().__init__()
        self.results = results


@contextmanager
def references_of(
    found: Sequence[Installation],
) -> Iterator[tuple[list[Reference], LiveWorkers, Path]]:
    """The references, the live workers of all workers, and where their files go."""
    live = LiveWorkers()
    with scratch() as files:
        logs = files / "logs"
        logs.mkdir()
        with opened(reference_configuration(found), live, logs, files, CACHED) as known:
            yield known, live, files


def ask(
    wanted: Sequence[tuple[Task, int]],
    asked: Sequence[Configuration],
    references: Sequence[Reference],
    live: LiveWorkers,
    files: Path,
    quiet: bool,
) -> list[ParityResult]:
    """Parity's answers for these tasks and seeds; the logs are kept only if a worker failed. Raises
    Interrupted.
    """
    all_inputs = [TaskInputs(task, seed, files) for task, seed in wanted]
    with reporter(quiet) as progress, directory.create(files, directory.new_id()) as store:
        share = estimate.parity_share()
        stage = Stage(
            name="parity",
            at_once=share + 1,
            settings=replace(CACHED, share=share),
            groups=gate.groups(asked, all_inputs, references, files, thorough=True),
        )
        try:
            perform([stage], store, live, progress)
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
