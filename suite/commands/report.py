"""``tribench report``: tables and pages from records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suite.commands.options import Json, console
from suite.report.site.build import build_site
from suite.report.streams import json_of
from suite.report.terminal import tables
from suite.run import session
from suite.store import directory
from suite.store.recovery import read
from suite.store.seal import DATA


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    site: Annotated[
        Path | None,
        typer.Option(
            help="Write the pages and an index into this folder. Default: pages and tables are "
            "written into the runs."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the tables and pages of runs again from their records."""
    if site is not None:
        for path in runs:
            if not any((path / name).exists() for name in DATA):
                read(path)  # a run that is none is told before work starts
        directory.check(site)
        print(f"Index: {build_site(runs, site, read)}")
        return
    for one in [read(path) for path in runs]:
        session.render(one)
        if as_json:
            print(json_of(one.summary))
        else:
            tables.show(one.summary, console())
            print(f"\nPage: {one.path / 'page.html'}")
