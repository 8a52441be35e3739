"""What a run directory still holds, damaged or not, and what is wrong with it.

Whatever can be read is: a manifest that cannot is made up from what was measured, and where the
seal vouches for the summary but not for what it was made from, the summary counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from suite.analysis.digest import cell_of
from suite.analysis.summary import summarise
from suite.analysis.verdict import DELTA
from suite.records.run import Run
from suite.records.schema import (
    AccuracyRecord,
    AnyRecord,
    BlockRecord,
    Environment,
    Manifest,
    Summary,
)
from suite.store.directory import NewerError, StoreError, read_model, read_records
from suite.store.seal import SEAL, UNLIKE, Seal, read_seal

M = TypeVar("M", bound=BaseModel)
NOT_KNOWN = "not known"
BEGINNING = "1970-01-01T00:00:00+00:00"  # where not even a run's name tells when it began
NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
ID = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}")
UNKNOWN = Environment(
    cpu=NOT_KNOWN,
    cores=0,
    threads=0,
    memory_bytes=0,
    system=NOT_KNOWN,
    container=False,
    gpus=[],
    settings={},
    coordinator={},
    backends={},
)


def read(path: Path) -> Run:
    """A run as its records tell it now, damaged or not; StoreError if there is nothing to tell, or
    if it is no run or a newer tribench's. Its summary is the stored one where the records tell
    less; its ``damage`` has a sentence for each file that is not as it was.
    """
    seal = read_seal(path)
    damage = dict(seal.broken) if seal.damaged is None else {SEAL: seal.damaged}
    if not (path / "manifest.json").is_file() and not seal.sums:
        read_model(path / "manifest.json", Manifest)  # says why it is no run
    manifest = _read(path, "manifest.json", Manifest, seal, damage)
    environment = _read(path, "environment.json", Environment, seal, damage)
    records = _records(path, damage)
    if manifest is not None and manifest.complete and not records:
        damage.setdefault("records.jsonl", "it is empty")
    stored = None
    if damage.keys() & {"manifest.json", "records.jsonl"} and seal.vouches("summary.json"):
        stored = _read(path, "summary.json", Summary, seal, damage)
    told = [f"{name}: {why}" for name, why in damage.items()]
    notes = [f"Damaged: {each}." for each in told]
    if manifest is None:
        if not records and stored is None:
            raise StoreError(f"{path} holds nothing that can be shown ({'; '.join(told)})")
        manifest = _made_up(path, records, stored, complete=bool(seal.sums))
    if stored is None:
        with possible(path):
            summary = summarise(manifest, records, notes)
    else:
        notes = list(dict.fromkeys([*stored.notes, *notes]))
        summary = stored.model_copy(update={"notes": notes})
    return Run(
        path=path,
        manifest=manifest,
        environment=environment or UNKNOWN,
        records=records,
        summary=summary,
        damage=tuple(told),
    )


@contextmanager
def possible(path: Path) -> Iterator[None]:
    """Numbers that nobody can have measured end in one line, wherever they lead."""
    try:
        yield
    except StoreError:
        raise
    except (ArithmeticError, ValueError) as error:
        why = " ".join(str(error).split())[:100]
        raise StoreError(f"{path} holds numbers that no run can have: {why}") from None


def _read(path: Path, name: str, kind: type[M], seal: Seal, damage: dict[str, str]) -> M | None:
    """A file of the run; None, with a word on the damage, if it cannot be read."""
    try:
        return read_model(path / name, kind)
    except NewerError:
        if name not in seal.broken:
            raise
    except StoreError as error:
        if damage.get(name, UNLIKE) == UNLIKE:  # else it is empty or missing
            damage[name] = str(error).partition(" is damaged: ")[2] or "it is missing"
    return None


def _records(path: Path, damage: dict[str, str]) -> list[AnyRecord]:
    name = "records.jsonl"
    try:
        records, left_out = read_records(path)
    except OSError:
        damage.setdefault(name, "it is missing")
        return []
    if left_out:
        damage[name] = left_out[0]
    return records


def _made_up(
    path: Path, records: Sequence[AnyRecord], summary: Summary | None, complete: bool
) -> Manifest:
    """What was planned, as far as what was measured tells."""
    found = summary.cells if summary else [getattr(record, "cell", None) for record in records]
    told = ID.fullmatch(path.name)
    return Manifest(
        id=path.name if NAME.fullmatch(path.name) else "unknown",
        created=told.expand(r"\1-\2-\3T\4:\5:\6+00:00") if told else BEGINNING,
        tribench=NOT_KNOWN,
        command=NOT_KNOWN,
        label=None,
        profile=NOT_KNOWN,
        launches=1 + max((r.launch for r in records if isinstance(r, BlockRecord)), default=-1),
        seeds=sorted({r.training.seed for r in records if isinstance(r, AccuracyRecord)}),
        delta=summary.comparisons[0].delta if summary and summary.comparisons else DELTA,
        tasks={},
        cells=list(dict.fromkeys(cell_of(cell) for cell in found if cell is not None)),
        complete=complete,
    )
