"""``tribench conformance``: an adapter does what it owes."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from backends.base import EXECUTIONS
from suite.commands.options import (
    Device,
    Json,
    Names,
    Pythons,
    Quiet,
    console,
    interpreters,
    names,
    split,
)
from suite.engine.progress import reporter
from suite.errors import FAILED
from suite.files import keep_logs, scratch
from suite.parity.conformance.checks import CONFORMANCE_SCHEMA, THRESHOLDS
from suite.parity.conformance.run import conform, pick
from suite.plan.configurations import Configuration, reference_configuration
from suite.plan.options import Choice, UsageError, choose
from suite.plan.options import check as check_choice
from suite.report.terminal.conformance import show_conformance
from suite.worker.installations import discover


def command(
    name: Annotated[str, typer.Argument(help="The backend, as tribench list shows it.")],
    execution: Annotated[
        Names, names(f"The executions: {', '.join(EXECUTIONS)}", "all that the backend has")
    ] = None,
    precision: Annotated[
        Names, names(f"The precisions: {', '.join(THRESHOLDS)}", "those that the backend has")
    ] = None,
    check: Annotated[Names, names("The checks that are done", "all")] = None,
    case: Annotated[Names, names("The cases of these checks", "all")] = None,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that an adapter does everything that it owes. For those who write one."""
    choice = Choice(executions=split(execution), precisions=split(precision), device=device)
    check_choice(choice, {})
    precisions = choose("precision", choice.precisions, THRESHOLDS)
    checks = pick(split(check), split(case))
    found = {
        installation.name: installation
        for installation in discover(interpreters(python), device, wanted=(name,))
    }
    if name not in found:
        raise UsageError(f"no backend {name!r}; there are {', '.join(found)}")
    where = found[name]
    if where.why is not None:
        raise UsageError(f"{name} is not available: {where.why}")
    wanted = precisions or [p for p in where.adapter.precisions if p in THRESHOLDS]
    asked = [
        Configuration(installation=where, execution=e, precision=p, device=device)
        for e in choose("execution", choice.executions, EXECUTIONS) or where.adapter.executions
        for p in wanted
    ]
    done_in = dict.fromkeys(each for one in checks for each in one.precisions)
    if done_in.keys().isdisjoint(wanted):
        given, known = ", ".join(wanted) or "none of them", ", ".join(done_in)
        raise UsageError(f"nothing to check: that is done in {known}, and asked for is {given}")
    reference = reference_configuration(list(found.values()))
    with scratch() as files, reporter(quiet) as progress:
        results = conform(asked, reference, checks, files, files / "logs", progress)
        if any(result.verdict == "failed" for result in results):
            keep_logs(files / "logs")
    if as_json:
        data = [asdict(result) for result in results]
        print(json.dumps({"schema": CONFORMANCE_SCHEMA, "backend": name, "results": data}))
    else:
        show_conformance(name, results, console())
    raise typer.Exit(FAILED if any(r.verdict in ("fail", "failed") for r in results) else 0)
