"""``tribench calibrate``: parity's thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suite.commands.options import Names, Pythons, Quiet, console, interpreters, names, split
from suite.engine.inputs import TaskInputs
from suite.files import write_whole
from suite.parity import calibration, gate
from suite.parity.thresholds import LIMITS, RECORD
from suite.plan import catalogue
from suite.plan.configurations import configurations
from suite.plan.options import Choice, check, choose
from suite.plan.plan import pick_tasks
from suite.records.schema import ParityResult
from suite.report.terminal.parity import show_limits
from suite.store import directory
from suite.worker.installations import discover


def command(
    task: Annotated[Names, names("The tasks", "all that need no download")] = None,
    backend: Annotated[Names, names("The backends", "all")] = None,
    precision: Annotated[
        Names,
        names(
            f"Derive only the thresholds of these precisions: {', '.join(LIMITS.precision)}", "all"
        ),
    ] = None,
    python: Pythons = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many seeds of each task. Default: 50 of tiny tasks, 5 of the others."
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            help="The file that is written. Default: suite/parity/thresholds.json, the one in use.",
            show_default=False,  # a path of this machine
        ),
    ] = RECORD,
    quiet: Quiet = False,
) -> None:
    """Derive parity's thresholds anew. For developers.

    They come from correct programs and known mistakes.
    """
    choice, known = Choice(tasks=split(task), backends=split(backend)), catalogue.tasks()
    check(choice, known)
    directory.check_file(output)
    found = discover(interpreters(python), wanted=choice.backends)
    alone = choose("precision", split(precision), tuple(LIMITS.precision))
    precisions = alone or ("float64", *LIMITS.precision)
    asked = configurations(choice, found, *precisions, every=True)
    counts = {
        one: seeds or (50 if one.name.endswith("-tiny") else 5)
        for one in pick_tasks(choice.tasks, ("*",), known)
    }
    results: list[ParityResult] = []
    with gate.references_of(found, [*counts]) as (references, live, files):
        mistakes = {}
        if not alone:
            firsts = [TaskInputs(one, 0, files) for one in counts]
            mistakes = calibration.mistakes(references[0], firsts)
        for one, count in counts.items():
            wanted = [(one, seed) for seed in range(count)]
            results += gate.ask(wanted, asked, references, live, files, quiet)
            references[0].forget()  # a seed of cnn-tiny is 0.1 GB
    if alone:
        limits = calibration.rederived(LIMITS, results)
    else:
        seen = {one.name: count for one, count in counts.items()}
        limits = calibration.derive(results, mistakes, seen)
    write_whole(output, limits.model_dump_json(indent=1) + "\n")
    show_limits(limits, console())
