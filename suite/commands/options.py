"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from backends.base import DEVICES
from suite.plan.options import UsageError
from suite.worker.made import Wanted, home, make, wanted

Names = list[str] | None  # as typed, before ``split``


def names(what: str, default: str) -> Any:
    """An option that takes names, with wildcards; ``default`` is what it means to leave it out."""
    told = f"{what}. Repeatable; takes comma lists and wildcards. Default: {default}."
    return typer.Option(help=told)


Pythons = Annotated[
    list[str] | None,
    typer.Option(
        "--python",
        help="The interpreter that runs a backend, as NAME=PATH; NAME@LABEL=PATH adds an arm. "
        "Repeatable. Default: nox's environment of that name, else the present interpreter.",
    ),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="An environment that tribench makes, and an arm in it, as NAME=REQUIREMENTS or "
        "NAME@LABEL=REQUIREMENTS: pip's, parted by spaces. Repeatable. Default: none.",
    ),
]
LEAST_WIDTH = 80  # columns of a table
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON alone on standard output, in place of tables.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress on standard error.")]
Device = Annotated[str, typer.Option(help=f"The device of all backends: {' or '.join(DEVICES)}.")]


def console() -> Console:
    """Standard output; wide enough for the tables where it is not a terminal, and never so narrow
    that they would leave out digits.
    """
    console = Console()
    if not (console.is_terminal or "COLUMNS" in os.environ):
        return Console(width=120)
    return console if console.width >= LEAST_WIDTH else Console(width=LEAST_WIDTH)


def split(values: Sequence[str] | None) -> tuple[str, ...]:
    """The names of a repeatable option that takes comma lists; UsageError for an empty one, which
    would mean all.
    """
    found = tuple(part for value in values or () for part in value.split(",") if part)
    if values and not found:
        raise UsageError("a list of names is empty; leave the option out for its default")
    return found


def environments(values: Sequence[str] | None, pythons: Mapping[str, str]) -> list[Wanted]:
    """What ``--with`` asks for; UsageError for a name that is there already."""
    found: dict[str, Wanted] = {}
    for value in values or ():
        asked = wanted(value)
        if asked.name in found or asked.name in pythons:
            raise UsageError(f"{asked.name} is given twice, by --with or --python")
        found[asked.name] = asked
    return list(found.values())


def made(asked: Sequence[Wanted], quiet: bool) -> dict[str, str]:
    """NAME: PATH of these environments, each made if it is not there."""

    def tell(text: str) -> None:
        if not quiet:
            print(f"tribench: {text}", file=sys.stderr)

    return {each.name: make(each, home(), tell) for each in asked}


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
