"""Pages of several runs with an index: what a web server is given."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from suite.report.page import HERE, render, templates
from suite.store.run import Run
from suite.store.writing import write_whole, writing


def build_site(runs: Sequence[Run], folder: Path) -> Path:
    """Write FOLDER/ID/index.html for every run and FOLDER/index.html, newest first; its path."""
    for run in runs:
        place = folder / run.manifest.id
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "index.html", render(run))
    newest = sorted(runs, key=lambda run: run.manifest.created, reverse=True)
    style = Markup((HERE / "page.css").read_text("utf-8"))
    index = folder / "index.html"
    write_whole(index, templates().get_template("site.html").render(runs=newest, style=style))
    return index
