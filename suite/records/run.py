"""A run read back from its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite.records.schema import AnyRecord, Environment, Manifest, Summary


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that a run directory holds. ``records`` are those of finished units only;
    ``damage`` says what is not as it was, a sentence a file, and so do the summary's notes.
    """

    path: Path
    manifest: Manifest
    environment: Environment
    records: list[AnyRecord]
    summary: Summary
    damage: tuple[str, ...] = ()
