"""The site of many runs: an index, a page a run, their history, and any two compared.

FOLDER/ID/index.html is a run's page and FOLDER/ID/run.js its digest, which the comparison loads as
a script: a page that is opened from disk may load nothing else. The index and the history hold what
digests say, so that they grow by some hundred bytes a run. A run whose records and whose tribench
have not changed since its page was made is not made again.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from markupsafe import Markup
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from suite.compare.comparable import machines
from suite.compare.digest import Digest, digest
from suite.report import words
from suite.report.page import HERE, frame, render, templates
from suite.store.directory import StoreError
from suite.store.run import Run
from suite.store.writing import write_whole, writing

PROCESSES = 2  # of 250 MB each
STAMP, CALL = "// made from ", "tribench.run("


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the index. ``digest`` is None where ``why`` says that nothing could be read in
    ``folder``; ``machine`` numbers those whose times can be compared.
    """

    folder: str
    digest: Digest | None = None
    why: str = ""
    machine: int | None = None


def build_site(runs: Sequence[Path], folder: Path, read: Callable[[Path], Run]) -> Path:
    """Write FOLDER/index.html and all that belongs to it; its path. The pages share plotly's
    script, 4.8 MB. ``read`` may raise StoreError: the index says so.
    """
    plotly = f"plotly-{get_plotlyjs_version()}.js"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / plotly).exists():
        write_whole(folder / plotly, get_plotlyjs())
    page = partial(_page, folder=folder, read=read, plotly=plotly, code=_code())
    with ProcessPoolExecutor(min(PROCESSES, os.cpu_count() or 1), initializer=gc.freeze) as pool:
        rows = _numbered(list(pool.map(page, runs)))
    for name, text in _pages(rows, plotly):
        write_whole(folder / name, text)
    return folder / "index.html"


def _page(path: Path, folder: Path, read: Callable[[Path], Run], plotly: str, code: str) -> Row:
    """Make a run's page and digest, unless those that are there are of the same."""
    stamp = f"{STAMP}{_inputs(path, code)}\n"
    if known := _known(folder / path.name, stamp):
        return Row(folder=path.name, digest=known)
    gc.disable()  # what a page takes is let go of at its end; looking for it costs a third
    try:
        run = read(path)
        found = digest(run)
        place = folder / found.id
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "index.html", render(run, f"../{plotly}"))
        write_whole(place / "run.js", f"{stamp}{CALL}{found.model_dump_json()});\n")
    except StoreError as error:
        return Row(folder=path.name, why=str(error).removeprefix(f"{path.parent}/"))
    finally:
        gc.enable()
    del run
    gc.collect()
    return Row(folder=path.name, digest=found)


def _known(place: Path, stamp: str) -> Digest | None:
    """What was made before from the same."""
    try:
        first, _, call = (place / "run.js").read_text("utf-8").partition("\n")
        if f"{first}\n" != stamp or not (place / "index.html").exists():
            return None
        return Digest.model_validate_json(call.removeprefix(CALL).removesuffix(");\n"))
    except (OSError, ValueError):
        return None


def _inputs(path: Path, code: str) -> str:
    """A digest of a run's files and of what makes pages of them."""
    total = sha256(code.encode())
    for file in sorted(path.glob("*")):
        if file.is_file() and file.suffix != ".html":
            total.update(file.name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _code() -> str:
    """A digest of everything in suite/ that can change what a page says."""
    total = sha256(get_plotlyjs_version().encode())
    for file in sorted(HERE.parent.rglob("*")):
        if file.suffix in (".py", ".html", ".css", ".js", ".json"):
            total.update(file.read_bytes())
    return total.hexdigest()


def _numbered(rows: list[Row]) -> list[Row]:
    """Newest first, what could not be read before all; with the number of their machine, 0 being
    the oldest run's.
    """
    bad = [row for row in rows if row.digest is None]
    good = [(row.digest, row) for row in rows if row.digest is not None]
    good.sort(key=lambda pair: (pair[0].created, pair[0].id))
    numbers = machines([found.environment for found, _ in good])
    numbered = [
        Row(folder=row.folder, digest=found, machine=number)
        for (found, row), number in zip(good, numbers, strict=True)
    ]
    return [*bad, *reversed(numbered)]


def _pages(rows: Sequence[Row], plotly: str) -> Iterator[tuple[str, str]]:
    """The pages of all runs: name and text."""
    choices = _choices([row for row in rows if row.digest is not None])
    scripts = ("state", "rows", "index")
    yield (
        "index.html",
        _fill("site.html", rows=rows, **choices, **site_frame(scripts)),
    )


def site_frame(scripts: Sequence[str], plotly_file: str = "") -> dict[str, Any]:
    """A page's frame with the style that the pages of many runs add."""
    filled = frame(plotly_file, scripts)
    return filled | {"style": filled["style"] + Markup((HERE / "site.css").read_text("utf-8"))}


def _fill(template: str, **values: Any) -> str:
    return templates().get_template(template).render(**values)


def _choices(rows: Sequence[Row]) -> dict[str, list[tuple[str, str]]]:
    """What the index can be filtered by: (value, title) each."""
    found = [(row.machine, row.digest) for row in rows if row.digest is not None]
    names = {number: words.machine(run.environment) for number, run in found}
    runs = [run for _, run in found]
    return {
        "machines": [(str(number), f"{names[number]}") for number in sorted(names, key=str)],
        "devices": _same({device for run in runs for device in run.devices}),
        "tasks": _same({task for run in runs for task in run.tasks}),
        "versions": _same({version for run in runs for version in run.versions}),
    }


def _same(values: set[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(values)]
