"""``tribench publish``: records for the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suite.analysis import words
from suite.plan.options import UsageError
from suite.store import directory
from suite.store import publish as publishing
from suite.store.recovery import read

PUBLISHED = Path("results/published")


def command(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    output: Annotated[Path, typer.Option(help="The folder of published runs.")] = PUBLISHED,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Copy nothing; print all that is wrong, and end with exit code 1 if anything is.",
        ),
    ] = False,
) -> None:
    """Check runs and copy their records to where the site is made from: all of them or none."""
    if check:
        raise typer.Exit(_check(runs))
    found = [read(path) for path in runs]
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
            problems += publishing.problems(read(path))
        except directory.StoreError as error:
            problems.append(str(error))
        found += [f"{path}: {problem}" for problem in problems]
        if not problems:
            print(f"{path}: may be published")
    for line in found:
        print(words.plain(line))
    return int(bool(found))
