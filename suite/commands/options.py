"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any

import typer
from rich.console import Console

from backends.base import DEVICES
from suite.plan.options import Choice, UsageError
from suite.report.streams import readable
from suite.worker.made import InstallError, Wanted, home, make, wanted

Names = list[str] | None  # as typed, before ``split``
Command = Callable[..., None]


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
    return {each.name: make(each, home(), _tell(quiet)) for each in asked}


def made_or_missing(asked: Sequence[Wanted], quiet: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The same, and NAME: WHY of what pip refuses to install."""
    paths: dict[str, str] = {}
    missing: dict[str, str] = {}
    for each in asked:
        try:
            paths |= made([each], quiet)
        except InstallError as error:
            missing[each.name] = error.why
            _tell(quiet)(f"{each.name} is not available: {error}")
    return paths, missing


def _tell(quiet: bool) -> Callable[[str], None]:
    def tell(text: str) -> None:
        if not quiet:
            print(f"tribench: {text}", file=sys.stderr)

    return tell


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


def options_of(source: Command, without: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Give a command the options of another one too, but for these; it takes them as keywords."""

    def decorate(command: Command) -> Command:
        own, theirs = (inspect.signature(one, eval_str=True) for one in (command, source))
        kept = [
            *(one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD),
            *(one for name, one in theirs.parameters.items() if name not in without),
        ]
        taken = [one.replace(kind=one.KEYWORD_ONLY) for one in kept]
        named: Any = command
        named.__signature__ = own.replace(parameters=taken)
        named.__annotations__ = {one.name: one.annotation for one in taken}
        return command

    return decorate


def chosen(typed: Mapping[str, Any]) -> Choice:
    """The choice in the options of ``run``, by the names of its parameters; what was not among them
    is left as it is.
    """
    found: dict[str, Any] = {}
    for each in fields(Choice):
        several = isinstance(each.default, tuple)
        name = each.name.removesuffix("s") if several else each.name
        if name in typed:
            value = typed[name]
            found[each.name] = _several(value) if several else value
    if found.get("label") is not None:
        found["label"] = readable(found["label"])
    return Choice(**found)


def _several(values: Sequence[Any] | None) -> tuple[Any, ...]:
    """Numbers as they are, names from comma lists."""
    parts = (split([one]) if isinstance(one, str) else (one,) for one in values or ())
    return tuple(part for each in parts for part in each)
