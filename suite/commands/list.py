"""``tribench list``: tasks and backends."""

from __future__ import annotations

import json
from typing import Annotated

from suite.commands.options import (
    Device,
    Json,
    Names,
    Pythons,
    With,
    console,
    environments,
    interpreters,
    made,
    names,
    split,
)
from suite.plan import catalogue
from suite.plan.options import Choice, check, choose
from suite.report.terminal.listing import listing, show_listing
from suite.worker.installations import discover
from tasks.codec import encode, portable


def command(
    task: Annotated[Names, names("The tasks that are shown", "all")] = None,
    backend: Annotated[Names, names("The backends that are shown", "all")] = None,
    device: Device = "cpu",
    python: Pythons = None,
    with_: With = None,
    as_json: Json = False,
) -> None:
    """Show tasks and backends, which backend can run which task, and why not where it cannot."""
    choice, known = Choice(tasks=split(task), device=device), catalogue.tasks()
    pythons = interpreters(python)
    arms = environments(with_, pythons)
    check(choice, known)
    tasks = [known[name] for name in choose("task", choice.tasks or ("*",), known)]
    encoded = [encode(portable(one)) for one in tasks]
    asked = discover(pythons | made(arms, as_json), device, encoded, split(backend))
    named = {installation.name: installation for installation in asked}
    picked = [named[name] for name in choose("backend", split(backend) or ("*",), named)]
    found = listing(tasks, picked, device)
    if as_json:
        print(json.dumps(found))
    else:
        show_listing(found, console())
