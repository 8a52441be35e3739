"""What a run must be to stand among published ones, and how it gets there: records, not pages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from suite.files import writing
from suite.machine import idle
from suite.records.personal import personal
from suite.records.run import Run
from suite.store.fingerprint import QUOTA
from suite.store.sanity import unsound
from suite.store.seal import DATA as FILES
from suite.store.seal import SEAL, is_sealed, seal
from suite.worker.variables import changes

SETTINGS = {"environment", idle.SETTING.name, QUOTA}  # besides variables
MADE = ("page.html", "tables", "logs", "checkpoints")  # what a run has besides, and is not copied


def problems(run: Run) -> list[str]:
    """Why it cannot be published; none if it can."""
    return [*_problems(run)]


def _problems(run: Run) -> Iterator[str]:
    # It is finished, and under its own name.
    if not run.manifest.complete:
        yield "it is not complete"
    if run.path.resolve().name != run.manifest.id:
        yield f"its folder is not called {run.manifest.id}"
    there = [name for name in FILES if (run.path / name).is_file()]
    yield from (f"it has no {name}" for name in FILES if name not in there)
    yield from (f"{name} is a link" for name in FILES if (run.path / name).is_symlink())
    # Every speed has an answer to whether it is of the same function.
    for cell in run.summary.cells:
        if cell.samples_per_second is not None and cell.parity is None and not cell.is_twin:
            yield f"{cell.task} {cell.phase} {cell.backend} has no parity"
    # It is whole, its numbers can be, and the stored summary says what the records say.
    yield from unsound(run)
    # Nothing personal is in it; a label is the user's own choice.
    for name in there:
        text = (run.path / name).read_text("utf-8", "replace")
        for found in personal(text, run.manifest.label or ""):
            yield f"{name} names {found!r}, which is personal"
    # Of the variables only those stand in it that are known; others may hold tokens.
    for name in run.environment.settings.keys() - changes().keys() - SETTINGS:
        yield f"environment.json has the variable {name!r}, which is not known and may be secret"


def foreign(path: Path) -> list[str]:
    """What is wrong with a published folder as such, whatever is in the files."""
    known = {SEAL, *FILES, *MADE}
    found = [
        f"it has {file.name}, which no run has" for file in path.iterdir() if file.name not in known
    ]
    found += [f"{file.name} is a link" for file in path.rglob("*") if file.is_symlink()]
    if not is_sealed(path):
        found.append(f"it has no {SEAL}; tribench publish makes one")
    return found


def publish(run: Run, folder: Path) -> Path:
    """Copy what the site is made from, whole or not at all, and seal it; where it is now."""
    place = folder / run.manifest.id
    part = folder / f".{run.manifest.id}.part"
    with writing(place):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(run.path / name, part / name)
        seal(part)
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    return place
