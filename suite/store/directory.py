"""The run directory: written while the run goes on, readable at any moment.

manifest.json      what was set out to do, and whether it is complete
environment.json   the machine and the software
records.jsonl      one record a line, appended as it is made, each with a checksum
summary.json page.html summary.md tables/   made from the records at the end
SHA256SUMS         the seal of a run that is closed; see suite.store.seal
logs/              what the workers printed
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from suite.errors import CommandError
from suite.files import append_whole, write_whole, writing
from suite.records.schema import RUN_SCHEMA, AnyRecord, Environment, Manifest, PhaseRecord, Record
from suite.store.lines import line_of, parse, record_of
from suite.store.reading import contents

M = TypeVar("M", bound=BaseModel)
OWN_FILES = (
    *("manifest.json", "environment.json", "records.jsonl", "summary.json", "SHA256SUMS"),
    *("page.html", "summary.md", "upgrade.html", "upgrade.md", "upgrade-table.md"),
)
SOME, LONGEST = 3, 100  # damaged lines that are named, and signs of what they hold


class StoreError(CommandError, ValueError):
    """A run directory that cannot be written or read, and why."""


def new_id() -> str:
    """UTC time and eight random hexadecimal digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


class NewerError(StoreError):
    """It was written by a tribench that knows more than this one."""


@contextmanager
def refused(told: str) -> Iterator[None]:
    """Whatever the system refuses inside is a StoreError that tells this, and why."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{told}: {error.strerror or error}") from None


class RunDirectory:
    """An open run directory. One process at a time may hold it; its threads may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.guard = threading.Lock()
        self.records = path / "records.jsonl"
        with refused(f"{path} cannot be written"):
            self.file = self.records.open("ab", buffering=0)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise StoreError(f"{path} is in use by another tribench") from None
        except OSError as error:  # as some network file systems do
            self.file.close()
            raise StoreError(
                f"{path} cannot be locked: {error.strerror}; runs must lie on a file system that "
                "has locks, and can be copied afterwards"
            ) from None
        if self.file.tell() and not _ends_in_newline(self.records):
            self._append(b"\n")  # a write that was cut off stays a damaged line of its own

    def append(self, record: Record) -> None:
        """Add a record; it is in the file when this returns, and no part of it if this raises."""
        line = line_of(record)
        with self.guard:
            self._append(line)

    def write(self, name: str, content: BaseModel) -> None:
        """Write a JSON file whole or not at all."""
        text = content.model_dump_json(by_alias=True, indent=1)
        write_whole(self.path / name, text + "\n")

    def close(self) -> None:
        """Let others have it."""
        with self.file, writing(self.records):
            os.fsync(self.file.fileno())

    def remove(self) -> None:
        """Leave nothing of a run that could not be begun."""
        self.file.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def _append(self, line: bytes) -> None:
        append_whole(self.file.fileno(), self.records, line)

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def check(output: Path) -> None:
    """Raise StoreError if nothing can be written under this folder."""
    with refused(f"nothing can be written under {output}"):
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass


def check_file(file: Path) -> None:
    """Raise StoreError if this file cannot be written, or is a run's own."""
    whole = file.resolve()
    if whole.name in OWN_FILES and (whole.parent / "manifest.json").exists():
        raise StoreError(f"{file} is a run's own file; give another name")
    check(file.absolute().parent)
    with refused(f"{file} cannot be written"):
        if file.is_dir():
            raise IsADirectoryError("it is a folder")
        if file.exists() and not file.is_file():  # as root, a device would be replaced
            raise OSError("it is no regular file")


def create(output: Path, run_id: str) -> RunDirectory:
    """Make a new run directory; StoreError if that cannot be."""
    path = output / run_id
    with refused(f"no run can be written under {output}"):
        (path / "logs").mkdir(parents=True)
    return RunDirectory(path)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a run directory; StoreError if there is none that can be read."""
    return read_model(path / "manifest.json", Manifest)


def read_environment(path: Path) -> Environment:
    """The environment of a run directory."""
    return read_model(path / "environment.json", Environment)


def read_model(path: Path, kind: type[M]) -> M:
    """A JSON file of a run; StoreError if it cannot be read, NewerError if an older tribench could
    not have written it.
    """
    with refused(f"{path.parent} is no run: {path.name}"):
        text = contents(path)
    try:
        data = parse(text)
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {error}") from None
    schema = data.get("schema", RUN_SCHEMA) if isinstance(data, dict) else None
    if schema != RUN_SCHEMA:
        told = f"{path} has schema {_printable(str(schema))!r}; this tribench reads {RUN_SCHEMA}"
        raise NewerError(f"{told} and older: a newer one is needed")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise _invalid(path, error) from None


def read_records(path: Path) -> tuple[list[AnyRecord], list[str]]:
    """The records of finished units, and a sentence about the damaged lines, if there are any."""
    found: list[AnyRecord] = []
    damaged: dict[int, str] = {}
    lines = contents(path / "records.jsonl").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            found.append(record_of(line))
        except ValidationError as error:
            damaged[number] = _complaint(error)
        except ValueError as error:
            damaged[number] = _printable(str(error))
    closed = {
        (r.unit, r.attempt) for r in found if isinstance(r, PhaseRecord) and r.phase == "unit"
    }
    return [r for r in found if (r.unit, r.attempt) in closed], _left_out(damaged)


def _left_out(damaged: dict[int, str]) -> list[str]:
    """One sentence, however many there are."""
    if not damaged:
        return []
    numbers, reasons = list(damaged), dict.fromkeys(damaged.values())
    why = "; ".join([*reasons][:SOME]) + ("; ..." if len(reasons) > SOME else "")
    if len(numbers) == 1:
        return [f"line {numbers[0]} was left out: {why}"]
    shown = ", ".join(map(str, numbers[:SOME])) + (", ..." if len(numbers) > SOME else "")
    return [f"{len(numbers)} lines were left out ({shown}): {why}"]


def _invalid(path: Path, error: ValidationError) -> StoreError:
    if all(one["type"] == "extra_forbidden" for one in error.errors()):
        return NewerError(f"{path} was written by a newer tribench: {_complaint(error)}")
    return StoreError(f"{path} is damaged: {_complaint(error)}")


def _complaint(error: ValidationError) -> str:
    """The first that is wrong, and where."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"it has a field {_printable(place)!r}, which this tribench does not know"
    return _printable(f"{place}: {first['msg']}")


def _printable(text: str) -> str:
    """What a terminal can show of it in a line."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:LONGEST])


def _ends_in_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
