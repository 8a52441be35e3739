"""What a run must be to stand among published ones, and how it gets there: records, not pages."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from suite.store.run import Run
from suite.store.schema import BlockRecord
from suite.store.writing import writing

FILES = ("manifest.json", "environment.json", "records.jsonl", "summary.json", "summary.md")
FLOAT_BYTES = 4
MOST_OF_CEILING = 2.25  # what Winograd's F(2x2, 3x3) saves (arXiv 1509.09308); more is a mistake
SHORTEST_NAME = 4  # a shorter one is in every text

Check = Callable[[Run], Iterator[str]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Hold every run against this; what it yields is a problem each."""
    CHECKS.append(function)
    return function


def problems(run: Run) -> list[str]:
    """Why it cannot be published; none if it can."""
    return [problem for each in CHECKS for problem in each(run)]


def publish(run: Run, folder: Path) -> Path:
    """Copy what the site is made from, whole or not at all; where it is now."""
    place = folder / run.manifest.id
    part = folder / f".{run.manifest.id}.part"
    with writing(place):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name in FILES:
            shutil.copyfile(run.path / name, part / name)
        shutil.rmtree(place, ignore_errors=True)
        part.rename(place)
    return place


@check
def whole(run: Run) -> Iterator[str]:
    """Finished, undamaged, under its own name."""
    if not run.manifest.complete:
        yield "it is not complete"
    if run.path.name != run.manifest.id:
        yield f"its folder is not called {run.manifest.id}"
    yield from (note for note in run.summary.notes if "was left out" in note)
    for name in FILES:
        if not (run.path / name).is_file():
            yield f"it has no {name}"


@check
def times(run: Run) -> Iterator[str]:
    """Of blocks that count."""
    for record in run.records:
        if not isinstance(record, BlockRecord) or record.void is not None:
            continue
        if record.seconds <= 0 or record.steps < 1:
            yield f"a block of {record.cell.task} took {record.seconds:g} s"
            return


@check
def parity(run: Run) -> Iterator[str]:
    """Every speed has an answer to whether it is the same function."""
    for cell in run.summary.cells:
        if cell.samples_per_second is not None and cell.parity is None and not cell.is_twin:
            yield f"{cell.task} {cell.phase} {cell.backend} has no parity"


@check
def memory(run: Run) -> Iterator[str]:
    """A peak holds the parameters at least."""
    for cell in run.summary.cells:
        size = FLOAT_BYTES * int(run.manifest.tasks.get(cell.task, {}).get("parameters", 0))
        for kind, peak in cell.memory:
            if peak is not None and peak < size:
                what = f"{cell.task} {cell.phase} {cell.backend}"
                yield f"{what}: a {kind} peak of {peak} bytes is below the parameters' {size}"


@check
def rates(run: Run) -> Iterator[str]:
    """Not far over the device's ceiling."""
    for cell in run.summary.cells:
        if cell.of_ceiling is not None and cell.of_ceiling > MOST_OF_CEILING:
            share = f"{100 * cell.of_ceiling:.0f} %"
            yield f"{cell.task} {cell.phase} {cell.backend} is at {share} of the ceiling"


@check
def privacy(run: Run) -> Iterator[str]:
    """Neither a home folder nor the host's name; a label is the user's own choice. A user's name
    alone may be any word, and where it is one's own it stands in such a folder.
    """
    names = [name for name in (str(Path.home()), platform.node()) if len(name) >= SHORTEST_NAME]
    text = "".join(
        (run.path / name).read_text("utf-8", "replace")
        for name in FILES
        if (run.path / name).is_file()
    )
    label = run.manifest.label or ""
    for name in names:
        if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", text) and name not in label:
            yield f"it names {name!r}, which is personal"
