"""``tribench weights``: a library's checkpoint in canonical parameters, and back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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
from suite.files import keep_logs, scratch, write_whole
from suite.plan.configurations import configurations, reference_configuration
from suite.plan.options import Choice, UsageError
from suite.plan.options import check as check_choice
from suite.report.terminal.weights import found_in, show_answers, show_found
from suite.store import directory
from suite.weights.batch import read as read_batch
from suite.weights.check import Answer, check, random_samples
from suite.weights.checkpoint import OURS, Checkpoint, look, table
from suite.weights.formats import FORMATS, format_of
from suite.worker.installations import discover
from tasks.base import Batch
from tasks.models.catalogue import MODELS, Size
from tasks.models.names import to_theirs
from tasks.models.tables import TABLES

WEIGHTS_SCHEMA = 1
LIBRARIES = f"{OURS}, {', '.join(TABLES)}"
ACTIONS = {
    "show": "show what the file has, and what of the model is missing",
    "import": "write canonical parameters",
    "export": "write a checkpoint of a library",
    "check": "compare what every backend predicts with these weights, in float32",
}
TOLD = "; ".join(f"{name}: {words}" for name, words in ACTIONS.items())


def command(
    action: Annotated[str, typer.Argument(help=f"{TOLD}.")],
    model: Annotated[str, typer.Argument(metavar="TASK", help=f"The model: {', '.join(MODELS)}.")],
    file: Annotated[Path, typer.Argument(help=f"The file: {', '.join(FORMATS)}.")],
    source: Annotated[str, typer.Option(help=f"Whose names the file has: {LIBRARIES}.")] = OURS,
    target: Annotated[
        str | None,
        typer.Option(
            help=f"Whose names the output of export gets: {', '.join(TABLES)}. Default: none."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file that import and export write, in the format of its name. Default: none."
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            help="A size that the arrays do not tell, as NAME=NUMBER, or NAME=NUMBER,NUMBER... "
            "where there are several. Repeatable. Default: as the arrays tell, else as published."
        ),
    ] = None,
    leave_out: Annotated[
        Names, names("Arrays of the file that are no part of the model", "none")
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            help="An .npz of the samples for check: inputs, or inputs.NAME of each, targets if "
            "there are any, valid if steps are padded. Default: two random samples."
        ),
    ] = None,
    backend: Annotated[Names, names("The backends of check", "all")] = None,
    execution: Annotated[
        Names, names(f"The executions of check: {', '.join(EXECUTIONS)}", "each backend's first")
    ] = None,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Read a library's checkpoint of a model, show it, convert it, compare frameworks with it."""
    pythons, sizes = interpreters(python), _sizes(size)
    _check(action, target, output, batch)
    table(source, model)
    theirs = table(target or OURS, model)
    reads = format_of(file)
    writes = format_of(output, written=True) if output is not None else None
    choice = Choice(backends=split(backend), executions=split(execution), device=device)
    check_choice(choice, {})
    if output is not None:
        directory.check_file(output)
    found = look(reads.read(file, pythons), model, source, sizes, split(leave_out))
    answers: list[Answer] = []
    if action != "show":
        arrays = found.whole()
    if action == "check":
        samples = random_samples(found.model) if batch is None else read_batch(batch, found.model)
        answers = _compared(found, samples, choice, pythons, quiet)
    if writes is not None and writes.encoded is not None and output is not None:
        write_whole(output, writes.encoded(to_theirs(theirs, arrays), pythons))
    if as_json:
        told: dict[str, Any] = {"schema": WEIGHTS_SCHEMA, **found_in(found)}
        print(json.dumps(told | {"answers": [asdict(each) for each in answers]}))
    else:
        show_found(found, console())
        show_answers(answers, console())
        if output is not None:
            print(f"Written: {output}")
    wrong = any(answer.wrong for answer in answers) or not found.found.whole
    raise typer.Exit(FAILED if wrong else 0)


def _check(action: str, target: str | None, output: Path | None, batch: Path | None) -> None:
    """UsageError for options that do not go together."""
    if action not in ACTIONS:
        raise UsageError(f"weights cannot {action}; it can {', '.join(ACTIONS)}")
    writes = action in ("import", "export")
    if writes and output is None:
        raise UsageError(f"weights {action} needs --output, the file that it writes")
    if output is not None and not writes:
        raise UsageError("--output is for import and export")
    if (target is not None) != (action == "export"):
        is_for = "weights export needs --target" if target is None else "--target is for export"
        raise UsageError(f"{is_for}, whose names the output gets: {', '.join(TABLES)}")
    if batch is not None and action != "check":
        raise UsageError("--batch is for check")


def _sizes(values: list[str] | None) -> dict[str, Size]:
    """NAME: numbers of ``--size``; UsageError for what is neither."""
    found: dict[str, Size] = {}
    for value in values or ():
        name, _, text = value.partition("=")
        parts = text.split(",")
        if not name or not all(part.isdecimal() and len(part) < 10 for part in parts):
            raise UsageError(f"--size {value}: it must be NAME=NUMBER or NAME=NUMBER,NUMBER...")
        numbers = tuple(map(int, parts))
        found[name] = numbers if len(numbers) > 1 else numbers[0]
    return found


def _compared(
    found: Checkpoint, samples: Batch, choice: Choice, pythons: dict[str, str], quiet: bool
) -> list[Answer]:
    """What every backend makes of it."""
    installed = discover(pythons, choice.device, wanted=choice.backends)
    asked = configurations(choice, installed, "float32")
    reference = reference_configuration(installed)
    with scratch() as files, reporter(quiet) as progress:
        answers = check(found.model, found.whole(), samples, asked, reference, files, progress)
        if any(answer.verdict == "failed" for answer in answers):
            keep_logs(files / "logs")
    return answers
