"""The site of many runs: an index, a page a run, their history, and any two compared.

FOLDER/ID/index.html is a run's page and FOLDER/ID/run.js its digest, which the comparison loads as
a script: a page that is opened from disk may load nothing else. The index and the history hold what
digests say, so that they grow by some hundred bytes a run. A page is made again only where the
run's files, or tribench, have changed.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path

from suite.analysis.digest import Digest, digest
from suite.files import write_whole, writing
from suite.records.run import Run
from suite.report.page.page import ASSETS, render
from suite.report.site.pages import Unread, pages
from suite.report.site.rankings import ranked
from suite.store.reading import contents
from suite.store.recovery import NAME

PROCESSES = 4  # of 160 MB each
STAMP, CALL = "// made from ", "tribench.give("


def build_site(runs: Sequence[Path], folder: Path, read: Callable[[Path], Run]) -> Path:
    """Write FOLDER/index.html and all that belongs to it; its path. The pages share plotly's
    script, 4.8 MB. ``read`` may raise StoreError: the index says so.
    """
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    plotly = f"plotly-{get_plotlyjs_version()}.js"
    with writing(folder):
        (folder / "history").mkdir(parents=True, exist_ok=True)
    if not (folder / plotly).exists():
        write_whole(folder / plotly, get_plotlyjs())
    page = partial(_page, folder=folder, read=read, plotly=plotly, code=_code())
    ids = {path: _id(path) for path in runs}
    distinct = {name: path for path, name in reversed(ids.items())}  # the first of each
    with ProcessPoolExecutor(min(PROCESSES, os.cpu_count() or 1), initializer=gc.freeze) as pool:
        found = list(pool.map(page, distinct.values(), distinct))
    found += [
        (path.name, f"it is run {name} again, which {distinct[name].name} holds")
        for path, name in ids.items()
        if distinct[name] != path
    ]
    digests = [each for each in found if isinstance(each, Digest)]
    unread = [each for each in found if not isinstance(each, Digest)]
    for name, text in pages(digests, unread, plotly):
        write_whole(folder / name, text)
    return folder / "index.html"


def _page(
    path: Path, name: str, folder: Path, read: Callable[[Path], Run], plotly: str, code: str
) -> Digest | Unread:
    """Make the page and digest of the run ``name``, unless those that are there are of the same."""
    stamp = f"{STAMP}{_inputs(path, code)}\n"
    if known := _known(folder / name, stamp):
        return known
    gc.disable()  # what a page takes is let go of at its end; looking for it costs a third
    try:
        run = read(path)
        found = ranked(run, digest(run))
        place = folder / found.id
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "index.html", render(run, f"../{plotly}"))
        write_whole(place / "run.js", f"{stamp}{CALL}{found.model_dump_json()});\n")
        return found
    except (ArithmeticError, ValueError) as error:  # a StoreError, or numbers that cannot be
        return path.name, str(error).replace(f"{path.parent}/", "")
    finally:
        gc.enable()


def _id(path: Path) -> str:
    """What a run calls itself; where its manifest does not tell, its folder's name."""
    try:
        told = json.loads(contents(path / "manifest.json"))["id"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return path.name
    return told if isinstance(told, str) and NAME.fullmatch(told) else path.name


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
    """A digest of everything that can change what a page says: plotly's version and suite/."""
    from plotly.offline import get_plotlyjs_version

    total = sha256(get_plotlyjs_version().encode())
    for file in sorted(ASSETS.parents[1].rglob("*")):
        if file.suffix in (".py", ".html", ".css", ".js", ".json"):
            total.update(file.read_bytes())
    return total.hexdigest()
