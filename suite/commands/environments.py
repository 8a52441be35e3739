"""``tribench environments``: what ``--with`` has made."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from suite.analysis import words
from suite.commands.options import Json, Names, console, names, split
from suite.plan.options import UsageError, choose
from suite.worker import made

ENVIRONMENTS_SCHEMA = "tribench/environments/1"


def command(
    remove: Annotated[Names, names("The environments to remove, by name", "none")] = None,
    every: Annotated[bool, typer.Option("--all", help="Remove all of them.")] = False,
    as_json: Json = False,
) -> None:
    """Show the environments that --with has made, or remove some."""
    if remove and every:
        raise UsageError("--remove and --all cannot go together")
    folder = made.home()
    known = [each.name for each in made.every(folder)]
    for name in known if every else choose("environment", split(remove), known):
        made.remove(name, folder)
    found = made.every(folder)
    if as_json:
        told = [asdict(each) for each in found]
        print(json.dumps({"schema": ENVIRONMENTS_SCHEMA, "environments": told}))
        return
    table = Table(box=None, pad_edge=False)
    for head in ("environment", "requirements", "Python", "made", "MiB"):
        table.add_column(head, justify="right" if head == "MiB" else "left")
    for each in found:
        size = words.mebibytes(each.size_bytes)
        created = words.moment(each.created)
        row = (each.name, each.requirements, each.python, created, size)
        table.add_row(*(Text(words.plain(text)) for text in row))
    if found:
        console().print(table)
    else:
        print(f"No environment is in {folder}")
