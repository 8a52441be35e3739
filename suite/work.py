"""What a run consists of: stages of tracks of units. A unit is done whole or done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backends.base import NotSupported
from suite.crew import Crew
from suite.store.schema import Record, Status
from suite.worker.host import WorkerError, WorkerLost


@dataclass(frozen=True)
class Sink:
    """Where a unit's records go; every record carries the unit's name and this attempt at it."""

    unit: str
    attempt: str
    write: Callable[[Record], None]

    def emit(self, kind: type[Record], **values: Any) -> Record:
        """Write a record of this kind, and return it; Unusable if the values are not what it
        holds.
        """
        try:
            record = kind(unit=self.unit, attempt=self.attempt, **values)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Unusable(f"the worker's answer cannot be used: {where}: {first['msg']}") from None
        self.write(record)
        return record


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A piece of work.

    ``name`` is unique in a run, ``what`` is for people, ``cost_seconds`` a guess for the time left.
    ``do`` emits records and turns failures of workers into records. ``wanted`` is asked when its
    turn comes, of a unit that a complete run may be without.
    """

    name: str
    what: str
    cost_seconds: float
    do: Callable[[Crew, Sink], None]
    wanted: Callable[[], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Track:
    """Units that follow each other and share workers; ``suffix`` ends the names of their logs."""

    suffix: str
    units: tuple[Unit, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Tracks, ``at_once`` of them at a time; what is timed runs alone. Workers get all cores, or
    one of ``share`` parts of them; ``cached`` ones may use what others have compiled,
    ``preallocated`` ones take their part of a GPU's memory when they start, and ``compiled`` is a
    folder where they keep what they compile, and find it.
    """

    name: str
    at_once: int
    share: int = 1
    cached: bool = False
    preallocated: bool = False
    compiled: Path | None = None
    tracks: tuple[Track, ...]


class Unusable(Exception):
    """A worker answered, and what it answered is no result."""


FAILURES = (NotSupported, WorkerError, WorkerLost, Unusable)


def status_of(error: Exception) -> Status:
    """What a failure of a worker makes of a cell."""
    return "not_supported" if isinstance(error, NotSupported) else "failed"
