"""What a run consists of: stages of job groups of jobs. A job is done whole or done again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from backends.base import NotSupported
from suite.engine.pool import WorkerPool
from suite.plan.configurations import Configuration
from suite.records.schema import Cell, FailureRecord, Record, Status
from suite.worker.process import USUAL, WorkerError, WorkerLost, WorkerSettings

Kind = TypeVar("Kind", bound=Record)


class Unusable(Exception):
    """A worker answered, and what it answered is no result."""


FAILURES = (NotSupported, WorkerError, WorkerLost, Unusable)


def status_of(error: Exception) -> Status:
    """What a failure of a worker makes of a cell."""
    return "not_supported" if isinstance(error, NotSupported) else "failed"


@dataclass(frozen=True)
class Sink:
    """Where a job's records go; every record carries the job's id and this attempt at it."""

    job: str
    attempt: str
    write: Callable[[Record], None]

    def emit(self, kind: type[Kind], **values: Any) -> Kind:
        """Write a record of this kind, and return it; Unusable if the values are not what it
        holds.
        """
        try:
            record = kind(unit=self.job, attempt=self.attempt, **values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Unusable(f"the worker's answer cannot be used: {where}: {first['msg']}") from None
        self.write(record)
        return record

    def fail(
        self,
        stage: str,
        about: Cell | Configuration,
        status: Status,
        reason: str,
        task: str | None = None,
    ) -> None:
        """Record a failure about a cell, or about a configuration and perhaps a ``task``."""
        if isinstance(about, Cell):
            where: dict[str, Any] = {"cell": about}
        else:
            where = {
                "task": task,
                "backend": about.backend,
                "execution": about.execution,
                "precision": about.precision,
            }
        self.emit(FailureRecord, stage=stage, status=status, reason=reason, **where)

    @contextmanager
    def failures(
        self,
        stage: str,
        pool: WorkerPool,
        configuration: Configuration,
        cell: Cell | None = None,
        task: str | None = None,
    ) -> Iterator[None]:
        """What fails inside is recorded about the cell, or else about the configuration; it costs
        the configuration its worker and nothing else.
        """
        try:
            yield
        except FAILURES as error:
            pool.lose(configuration)
            self.fail(stage, cell or configuration, status_of(error), str(error), task)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A piece of work.

    ``id`` is unique in a run, ``label`` is for people, ``cost_seconds`` a guess for the time left.
    ``run`` emits records and turns failures of workers into records. ``wanted`` is asked when its
    turn comes, of a job that a complete run may be without.
    """

    id: str
    label: str
    cost_seconds: float
    run: Callable[[WorkerPool, Sink], None]
    wanted: Callable[[], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class JobGroup:
    """Jobs that follow each other and share workers; ``suffix`` ends the names of their logs."""

    suffix: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Job groups, ``at_once`` of them at a time; what is timed runs alone."""

    name: str
    at_once: int = 1
    settings: WorkerSettings = USUAL
    groups: tuple[JobGroup, ...]
