"""``tribench export``: a run in another tool's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suite.files import write_whole
from suite.plan.options import UsageError
from suite.report.exports import EXPORTS
from suite.run import session
from suite.store import directory


def command(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    kind: Annotated[str, typer.Option("--format", help=f"The format: {', '.join(EXPORTS)}.")],
    output: Annotated[
        Path | None, typer.Option(help="The file that is written. Default: standard output.")
    ] = None,
) -> None:
    """Write a run in another tool's format. CSV and Parquet lie in the run's tables."""
    if kind not in EXPORTS:
        raise UsageError(f"no format {kind!r}; there are {', '.join(EXPORTS)}")
    if output is not None:
        directory.check_file(output)
    text = EXPORTS[kind](session.read_and_warn(run))
    if output is None:
        print(text, end="")
    else:
        write_whole(output, text)
