"""The seal of a closed run: ``SHA256SUMS`` over its data, which ``sha256sum -c`` reads too.

Its first line, a comment for sha256sum, is the sum of the lines below: a seal that was itself
damaged accuses no file. A run that is not finished has none, nor has one of an older tribench.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from suite.files import write_whole
from suite.store.reading import contents

SEAL = "SHA256SUMS"
DATA = ("manifest.json", "environment.json", "records.jsonl", "summary.json", "summary.md")
TABLES = "tables"
MEASURED = (".json", ".jsonl")  # endings of what is not made from the records again
UNLIKE = "it is not as it was when the run was sealed"

HEAD = re.compile(r"# tribench's seal: ([0-9a-f]{64})")
NAME = re.compile(rf"{'|'.join(map(re.escape, DATA))}|{TABLES}/[\w-]+\.(?:csv|parquet)", re.ASCII)
LINE = re.compile(rf"([0-9a-f]{{64}})  ({NAME.pattern})", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What a run directory's seal says. ``sums`` has the files that it vouches for, none where
    there is no seal or ``damaged`` says what is wrong with it; ``broken`` those that are not as
    they were, and how.
    """

    sums: dict[str, str] = field(default_factory=dict)
    damaged: str | None = None
    broken: dict[str, str] = field(default_factory=dict)

    def vouches(self, name: str) -> bool:
        """Is this file as it was when the run was closed?"""
        return name in self.sums and name not in self.broken


def seal(path: Path, again: bool = False) -> None:
    """Close a run directory: write the sums of the data that is there. ``again`` is after tables
    and Markdown were made again from what a run measured, which is not looked at anew.
    """
    old = read_seal(path, verify=False).sums if again else {}
    sums = {name: found for name, found in old.items() if name.endswith(MEASURED)}
    for name in _data(path):
        if not (again and name.endswith(MEASURED)):
            sums[name] = _sum(path / name)
    body = "".join(f"{found}  {name}\n" for name, found in sums.items())
    head = f"# tribench's seal: {hashlib.sha256(body.encode()).hexdigest()}\n"
    write_whole(path / SEAL, head + body)


def is_sealed(path: Path) -> bool:
    """Was this run closed?"""
    return (path / SEAL).exists()


def read_seal(path: Path, verify: bool = True) -> Seal:
    """The seal of a run directory, each file held against it; an empty one where there is none."""
    try:
        head, _, body = contents(path / SEAL).decode("ascii").partition("\n")
    except FileNotFoundError:
        return Seal()
    except (OSError, ValueError):
        return Seal(damaged="it cannot be read")
    found = HEAD.fullmatch(head)
    lines = [LINE.fullmatch(line) for line in body.splitlines()]
    if not body or found is None or found[1] != hashlib.sha256(body.encode()).hexdigest():
        return Seal(damaged="it is not as it was written" if head else "it is empty")
    if not all(lines):
        return Seal(damaged="it names what is no data of a run")
    sums = {line[2]: line[1] for line in lines if line is not None}
    broken = {name: why for name in sums if verify and (why := _wrong(path / name, sums[name]))}
    return Seal(sums=sums, broken=broken)


def _wrong(file: Path, told: str) -> str | None:
    """How a file is not what it was; None if it is."""
    try:
        if file.stat().st_size == 0:
            return "it is empty"
        return None if _sum(file) == told else UNLIKE
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"


def _data(path: Path) -> list[str]:
    tables = [f"{TABLES}/{file.name}" for file in sorted((path / TABLES).glob("[!.]*"))]
    return [name for name in (*DATA, *tables) if NAME.fullmatch(name) and (path / name).is_file()]


def _sum(file: Path) -> str:
    return hashlib.sha256(contents(file)).hexdigest()
