"""``tribench compare``: two runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suite.analysis import words
from suite.analysis.compare import compare as compared
from suite.commands.options import Json, console
from suite.files import write_whole
from suite.report.page.comparison import render_comparison
from suite.report.streams import json_of
from suite.report.terminal.comparison import show_comparison, stops
from suite.run import session
from suite.store import directory
from suite.store.sanity import unsound


def command(
    base: Annotated[Path, typer.Argument(help="A run directory.")],
    new: Annotated[Path, typer.Argument(help="A later run directory.")],
    fail_on_regression: Annotated[
        bool,
        typer.Option(
            "--fail-on-regression",
            help="End with exit code 1 if anything became slower or cannot be judged: a cell that "
            "failed, is missing or has no parity; runs that are damaged, contradict themselves or "
            "are not comparable; nothing left.",
        ),
    ] = False,
    allow_incomparable: Annotated[
        bool,
        typer.Option(
            "--allow-incomparable",
            help="With --fail-on-regression: pass runs of other machines or settings, unjudged.",
        ),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(help="Write the comparison as a page to this file. Default: no page."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what became slower or faster from one run to another. Arms of one run show more."""
    if page is not None:
        directory.check_file(page)
    runs = [session.read_and_warn(folder) for folder in (base, new)]
    found = compared(*runs)
    if page is not None:
        write_whole(page, render_comparison(found))
    if as_json:
        print(json_of(found))
    else:
        show_comparison(found, console())
        if page is not None:
            print(f"\nPage: {page}")
    stopped = []
    if fail_on_regression:
        stopped += [f"{run.path} is not sound: {told}" for run in runs for told in unsound(run)]
        stopped += stops(found, allow_incomparable)
    for line in stopped:
        print(words.plain(f"tribench: {line}"), file=sys.stderr)
    raise typer.Exit(int(bool(stopped)))
