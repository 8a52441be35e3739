"""Pages of several runs with an index: what a web server is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from suite.report.page import HERE, render, templates
from suite.store.run import Run
from suite.store.schema import Environment, Manifest
from suite.store.writing import write_whole, writing


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the index; the run itself is not kept, there may be hundreds."""

    manifest: Manifest
    environment: Environment


def build_site(runs: Sequence[Path], folder: Path, read: Callable[[Path], Run]) -> Path:
    """Write FOLDER/ID/index.html for every run directory and FOLDER/index.html, newest first; its
    path. The pages share plotly's script, 4.8 MB, and are made by a process for each core.
    """
    plotly = f"plotly-{get_plotlyjs_version()}.js"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / plotly, get_plotlyjs())
    with ProcessPoolExecutor() as pool:
        page = partial(_page, folder=folder, read=read, plotly_file=f"../{plotly}")
        entries = list(pool.map(page, runs))
    newest = sorted(entries, key=lambda entry: entry.manifest.created, reverse=True)
    style = Markup((HERE / "page.css").read_text("utf-8"))
    index = folder / "index.html"
    write_whole(index, templates().get_template("site.html").render(runs=newest, style=style))
    return index


def _page(path: Path, folder: Path, read: Callable[[Path], Run], plotly_file: str) -> Entry:
    run = read(path)
    place = folder / run.manifest.id
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    write_whole(place / "index.html", render(run, plotly_file))
    return Entry(manifest=run.manifest, environment=run.environment)
