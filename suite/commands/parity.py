"""``tribench parity``: is it the same function?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from backends.base import EXECUTIONS, PRECISIONS, Backend
from suite.commands.options import (
    Device,
    Json,
    Names,
    Pythons,
    Quiet,
    With,
    console,
    environments,
    interpreters,
    made,
    names,
    split,
)
from suite.errors import FAILED
from suite.files import check_room, write_whole
from suite.parity import gate
from suite.parity.thresholds import LIMITS
from suite.plan import catalogue, estimate
from suite.plan.configurations import configurations
from suite.plan.options import Choice, check, choose
from suite.plan.plan import pick_tasks
from suite.records.schema import PARITY_SCHEMA
from suite.report.page.parity import render_parity
from suite.report.terminal.parity import show_parity
from suite.store import directory
from suite.store.fingerprint import version, versions
from suite.worker.installations import discover


def command(
    task: Annotated[Names, names("The tasks", "all that need no download")] = None,
    backend: Annotated[Names, names("The backends", "all")] = None,
    execution: Annotated[
        Names, names(f"The executions: {', '.join(EXECUTIONS)}", "all of each backend")
    ] = None,
    precision: Annotated[
        Names, names(f"The precisions: {', '.join(PRECISIONS)}", " and ".join(Backend.precisions))
    ] = None,
    device: Device = "cpu",
    python: Pythons = None,
    with_: With = None,
    seed: Annotated[int, typer.Option(help="The first seed of parameters and samples.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from the first one on.")] = 1,
    page: Annotated[
        Path | None,
        typer.Option(help="Write the answers as a page to this file. Default: no page."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that every backend and execution has the same function, precision and training."""
    choice = Choice(
        tasks=split(task),
        backends=split(backend),
        executions=split(execution),
        precisions=split(precision),
        device=device,
        seed=seed,
    )
    pythons = interpreters(python)
    arms, known = environments(with_, pythons), catalogue.tasks()
    check(choice, known)
    if page is not None:
        directory.check_file(page)
    precisions = choose("precision", choice.precisions or Backend.precisions, PRECISIONS)
    found = discover(pythons | made(arms, quiet), device, wanted=choice.backends)
    asked = configurations(choice, found, *precisions, every=True)
    tasks = pick_tasks(choice.tasks, ("*",), known)
    wanted = [(one, number) for one in tasks for number in range(seed, seed + seeds)]
    check_room(estimate.parity_files(tasks), "parity of these tasks")
    with gate.references_of(found, tasks) as (references, live, files):
        try:
            results = gate.ask(wanted, asked, references, live, files, quiet)
        except gate.Interrupted as stop:
            if not as_json:
                show_parity(stop.results, console())
            raise
    if page is not None:
        facts = {"tribench": {"version": version()}} | versions(found)
        write_whole(page, render_parity(results, LIMITS, facts))
        if not quiet:
            print(f"Page: {page}", file=sys.stderr)
    if as_json:
        data = [result.model_dump(mode="json") for result in results]
        print(json.dumps({"schema": PARITY_SCHEMA, "results": data}))
    else:
        show_parity(results, console())
    raise typer.Exit(FAILED if any(result.wrong for result in results) else 0)
