"""The commands that read what runs left: report, compare, export, publish."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suite import session
from suite.compare.runs import compare as compared
from suite.options import Json, console
from suite.outputs import json_of
from suite.plan import UsageError
from suite.report import tables, words
from suite.report.compare_page import render_comparison
from suite.report.compare_table import show_comparison, stops
from suite.report.exports import EXPORTS
from suite.report.site import build_site
from suite.store import directory, publishing
from suite.store.run import Run
from suite.store.seal import DATA
from suite.store.writing import write_whole

PUBLISHED = Path("results/published")


def report(
    runs: list[Path],
    site: Annotated[
        Path | None, typer.Option(help="Write pages and an index here, not into the runs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the tables and the page of runs again from their records."""
    if site is not None:
        for path in runs:
            if not any((path / name).exists() for name in DATA):
                session.check(path)  # a run that is none is told before work starts
        directory.check(site)
        print(f"Index: {build_site(runs, site, session.read)}")
        return
    for one in [session.read(path) for path in runs]:
        session.render(one)
        if as_json:
            print(json_of(one.summary))
        else:
            tables.show(one.summary, console())
            print(f"\nPage: {one.path / 'page.html'}")


def compare(
    base: Annotated[Path, typer.Argument(help="A run directory.")],
    new: Annotated[Path, typer.Argument(help="A later one.")],
    fail_on_regression: Annotated[
        bool,
        typer.Option(
            "--fail-on-regression",
            help="Exit code 1 if anything became slower, or cannot be judged: a cell that failed, "
            "is missing or has no parity, runs that are not comparable, nothing left.",
        ),
    ] = False,
    allow_incomparable: Annotated[
        bool,
        typer.Option(
            "--allow-incomparable",
            help="With --fail-on-regression: runs of other machines or settings pass, unjudged.",
        ),
    ] = False,
    page: Annotated[Path | None, typer.Option(help="Write the comparison as a page.")] = None,
    as_json: Json = False,
) -> None:
    """What became slower or faster from one run to another. Arms of one run say more."""
    if page is not None:
        directory.check_file(page)
    found = compared(_read(base), _read(new))
    if page is not None:
        write_whole(page, render_comparison(found))
    if as_json:
        print(json_of(found))
    else:
        show_comparison(found, console())
        if page is not None:
            print(f"\nPage: {page}")
    stopped = stops(found, allow_incomparable) if fail_on_regression else []
    for line in stopped:
        print(words.plain(f"tribench: {line}"), file=sys.stderr)
    raise typer.Exit(int(bool(stopped)))


def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    kind: Annotated[str, typer.Option("--format", help=f"{', '.join(EXPORTS)}.")],
    output: Annotated[Path | None, typer.Option(help="A file, not standard output.")] = None,
) -> None:
    """A run in another tool's format. CSV and Parquet lie in the run's tables."""
    if kind not in EXPORTS:
        raise UsageError(f"no format {kind!r}; there are {', '.join(EXPORTS)}")
    if output is not None:
        directory.check_file(output)
    text = EXPORTS[kind](_read(run))
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text)


def publish(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    output: Annotated[Path, typer.Option(help="Where published runs are.")] = PUBLISHED,
    check: Annotated[
        bool, typer.Option("--check", help="Copy nothing; tell all that is wrong, exit code 1.")
    ] = False,
) -> None:
    """Check runs and copy their records to where the site is made from; all of them or none."""
    if check:
        raise typer.Exit(_check(runs))
    found = [session.read(path) for path in runs]
    for run in found:
        problems = publishing.problems(run)
        if problems:
            raise UsageError(words.plain(f"{run.path} is not published: {'; '.join(problems)}"))
    directory.check(output)
    for run in found:
        print(f"Published: {publishing.publish(run, output)}")


def _check(runs: list[Path]) -> int:
    """Tell what is wrong with published runs, a line each; the exit code."""
    found: list[str] = []
    for path in runs:
        if not path.is_dir():
            raise UsageError(f"{path} is no run: it is no folder")
        problems = publishing.foreign(path)
        try:
            problems += publishing.problems(session.read(path))
        except directory.StoreError as error:
            problems.append(str(error))
        found += [f"{path}: {problem}" for problem in problems]
        if not problems:
            print(f"{path}: may be published")
    for line in found:
        print(words.plain(line))
    return int(bool(found))


def _read(path: Path) -> Run:
    """A run; what is damaged in it goes to standard error."""
    run = session.read(path)
    for told in run.damage:
        print(words.plain(f"tribench: {path} is damaged: {told}"), file=sys.stderr)
    return run
