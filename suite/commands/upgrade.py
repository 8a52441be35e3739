"""``tribench upgrade``: an older and a newer version as arms of one run."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from suite.analysis import words
from suite.analysis.summary import exit_code
from suite.analysis.upgrade import stops, upgraded
from suite.commands import run
from suite.commands.options import chosen, console, options_of
from suite.plan.options import UsageError
from suite.plan.upgrade import pair
from suite.report.streams import json_of
from suite.report.terminal.upgrade import show_upgrade
from suite.store import directory

SETTINGS = {"ignore_unknown_options": True}  # "-r FILE" is an argument


@options_of(run.command, without=("backend", "python", "with_"))
def command(
    old: Annotated[
        str,
        typer.Argument(
            help="The older requirements, parted by spaces, as torch==2.12.0; or a file of them, "
            "whose name ends in .txt."
        ),
    ],
    new: Annotated[str, typer.Argument(help="The newer requirements, or a file of them.")],
    backend: Annotated[
        str | None,
        typer.Option(
            help="The backend that is judged. Default: the one that the requirements belong to."
        ),
    ] = None,
    fail_on_regression: Annotated[
        bool,
        typer.Option(
            "--fail-on-regression",
            help="End with exit code 1 if anything became worse or cannot be judged: a cell that "
            "failed, is not available in NEW only or has no parity; nothing left.",
        ),
    ] = False,
    **of_run: Any,
) -> None:
    """Judge an upgrade of a framework: an older and a newer version as arms of one run."""
    choice, resume, quiet = chosen(of_run), of_run["resume"], of_run["quiet"]
    device = choice.device
    if resume is not None:
        run.nothing_else(choice, "OLD, NEW and --backend")
        manifest = directory.read_manifest(resume)
        device = str(manifest.choice.get("device", device))
        backend = backend or (manifest.upgrade.backend if manifest.upgrade else None)
    asked = pair(old, new, backend, device)
    if resume is not None and manifest.upgrade != asked.upgrade:
        raise UsageError(f"{resume} is no run of this upgrade; give the OLD and NEW of its own")
    again = ["tribench", "upgrade", old, new]
    again += ["--backend", backend] if backend else []
    weights = tuple(of_run["weights"] or ())
    arms = run.Asked(arms=asked.arms, weights=weights, upgrade=asked.upgrade, again=again)
    if resume is None:
        choice = replace(choice, backends=asked.names)
    done = run.measured(choice, arms, of_run["output"], resume, quiet)
    found = upgraded(done, asked.upgrade)
    where = f"Page: {done.path / 'upgrade.html'}"
    if of_run["as_json"]:
        print(json_of(found))
        if not quiet:
            print(where, file=sys.stderr)
    else:
        show_upgrade(found, console())
        print(f"\n{where}")
    stopped = stops(found) if fail_on_regression else []
    for line in stopped:
        print(words.plain(f"tribench: {line}"), file=sys.stderr)
    raise typer.Exit(max(int(bool(stopped)), exit_code(done.summary)))
