"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from suite.plan import UsageError

Many = Annotated[list[str] | None, typer.Option(help="Repeatable; comma lists and wildcards.")]
Pythons = Annotated[
    list[str] | None,
    typer.Option(
        "--python", help="NAME=PATH: the interpreter that runs a backend; NAME@LABEL=PATH."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON alone on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


def console() -> Console:
    """Standard output; wide enough for the tables where it is not a terminal."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=120)


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """The names of a repeatable option that takes comma lists."""
    return tuple(part for value in values or () for part in value.split(",") if part)


def interpreters(values: Sequence[str] | None) -> dict[str, str]:
    """NAME: PATH of ``--python``; UsageError for what is neither."""
    found: dict[str, str] = {}
    for value in values or ():
        name, _, path = value.partition("=")
        if not name or not path:
            raise UsageError(f"--python {value}: it must be NAME=PATH or NAME@LABEL=PATH")
        if name in found:
            raise UsageError(f"--python {name} is given twice")
        found[name] = path
    return found
