"""``tribench run``: parity, then throughput, memory and accuracy."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backends.base import EXECUTIONS, TIMED
from suite.analysis.summary import exit_code
from suite.commands.options import (
    Device,
    Json,
    Names,
    Pythons,
    Quiet,
    With,
    chosen,
    console,
    environments,
    interpreters,
    made,
    made_or_missing,
    names,
)
from suite.engine.progress import reporter
from suite.errors import INTERRUPTED
from suite.files import WriteError, check_room
from suite.machine import idle
from suite.plan import catalogue, estimate
from suite.plan.options import PHASES, Choice, UsageError, check
from suite.plan.plan import Plan, make
from suite.plan.profiles import PROFILES
from suite.records.run import Run
from suite.records.schema import Upgrade
from suite.report.streams import json_of
from suite.report.terminal import tables
from suite.run import budget, session, stages
from suite.store import directory, seal
from suite.store.directory import RunDirectory
from suite.store.lock import Lock
from suite.store.recovery import read
from suite.weights.start import started
from suite.worker.environment import CONTROLLED
from suite.worker.installations import discover
from suite.worker.made import Wanted
from suite.worker.process import NO_LIMITS

RUNS = Path("results/runs")


def command(
    profile: Annotated[
        str, typer.Option(help=f"How much a run does: {', '.join(PROFILES)}.")
    ] = "quick",
    task: Annotated[Names, names("The tasks", "the profile's")] = None,
    backend: Annotated[Names, names("The backends", "all")] = None,
    execution: Annotated[
        Names, names(f"The executions: {', '.join(EXECUTIONS)}", "the profile's")
    ] = None,
    precision: Annotated[
        Names, names(f"The precisions: {', '.join(TIMED)}", "the profile's")
    ] = None,
    phase: Annotated[Names, names(f"The phases: {', '.join(PHASES)}", "both")] = None,
    device: Device = "cpu",
    batch_size: Annotated[
        list[int] | None,
        typer.Option(help="The samples of a timed batch. Repeatable. Default: each task's own."),
    ] = None,
    python: Pythons = None,
    with_: With = None,
    seed: Annotated[
        int, typer.Option(help="The seed of parity and timing, and the first of the trainings.")
    ] = 0,
    launches: Annotated[
        int | None,
        typer.Option(
            help="Launches, which are fresh starts of all workers. Default: the profile's, and "
            "more where intervals are wide and time is left."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            help="Trainings of each task in each backend; 0 trains nothing. Default: the profile's."
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASK=FILE",
            help="Weights that a task starts from, as tribench weights import writes them; they "
            "are evaluated before the training. Repeatable. Default: random ones.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs of each training, with the falls of the rate at the same shares of the "
            "way. Default: each task's own."
        ),
    ] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(
            help="Minutes that the run may take; seeds and launches are cut to fit. "
            "Default: the profile's."
        ),
    ] = None,
    aa: Annotated[
        str | None,
        typer.Option(
            help="The backend that is timed twice, to show the noise. Default: the profile's."
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="The folder that the run's directory is made in.")
    ] = RUNS,
    resume: Annotated[
        Path | None,
        typer.Option(help="The directory of a run to finish. Default: a new run begins."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="A name for the run, for people. Default: none.")
    ] = None,
    environment: Annotated[
        str,
        typer.Option(
            help="The process environment of the workers: controlled, which is the same for all, "
            "or stock, which is what you and the system have set."
        ),
    ] = CONTROLLED,
    worker_timeout: Annotated[
        float, typer.Option(help="Seconds that a worker may take for one answer.")
    ] = NO_LIMITS.answer_seconds,
    worker_memory: Annotated[
        float | None,
        typer.Option(help="GiB of address space that a worker may take. Default: no limit."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check parity, then measure throughput, memory and accuracy."""
    given = locals()
    pythons = interpreters(python)
    arms = environments(with_, pythons)
    choice = chosen(given)
    if resume is not None:
        nothing_else(choice, "--python, --with and --weights")
    asked = Asked(pythons=pythons, arms=arms, weights=tuple(weights or ()))
    _told(measured(choice, asked, output, resume, quiet), as_json, quiet)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Where backends run: interpreters by name, and environments to make. Those of an ``upgrade``
    may be missing; ``again`` is how its command line begins that goes on with a run. ``weights``
    are what tasks start from.
    """

    pythons: Mapping[str, str] = field(default_factory=dict)
    arms: Sequence[Wanted] = ()
    weights: Sequence[str] = ()
    upgrade: Upgrade | None = None
    again: Sequence[str] = ()


def nothing_else(choice: Choice, allowed: str) -> None:
    """UsageError where options are given to a run that has its own."""
    if choice != Choice():
        raise UsageError(f"--resume takes its options from the run; give {allowed} alone")


def measured(choice: Choice, asked: Asked, output: Path, resume: Path | None, quiet: bool) -> Run:
    """The run of this choice, or the one that is resumed, to its end."""
    if resume is not None:
        if seal.is_sealed(resume):
            done = read(resume)
            session.render(done)
            return done
        choice = session.choice_of(resume)
    known = started(catalogue.tasks(), asked.weights)
    check(choice, known)
    awake = idle.kept_awake() if choice.environment == CONTROLLED else nullcontext()
    with Lock() as lock, awake:
        if resume is None:
            directory.check(output)
        missing: dict[str, str] | None = None
        if asked.upgrade is None:
            paths = made(asked.arms, quiet)
        else:
            paths, missing = made_or_missing(asked.arms, quiet)
        pythons = {**asked.pythons, **paths}
        found = discover(pythons, choice.device, wanted=choice.backends, missing=missing)
        plan = budget.fit(make(choice, known, found))
        check_room(estimate.parity_files(plan.tasks), "parity of these tasks")
        if resume is None:
            line = session.command(choice, pythons, asked.arms, asked.upgrade, asked.weights)
            store = session.begin(plan, output, line, asked.upgrade)
        else:
            store = session.go_on(resume, plan)
        lock.tell(store.path.absolute())
        if not quiet:
            print(f"tribench: {budget.announcement(plan)}", file=sys.stderr)
        again = [*(asked.again or ("tribench", "run")), "--resume", str(store.path)]
        if asked.upgrade is None:
            again += [f"--python={name}={path}" for name, path in pythons.items()]
        again += [f"--weights={each}" for each in asked.weights]
        return _measure(plan, store, again, quiet)


def _measure(plan: Plan, store: RunDirectory, again: Sequence[str], quiet: bool) -> Run:
    """The finished run; if something ends it before, one line says how to go on."""
    go_on = f"what is done is kept, go on with: {shlex.join(again)}"
    try:
        with store:
            try:
                with reporter(quiet) as progress:
                    left_out = stages.run(plan, store, progress)
            except KeyboardInterrupt:
                session.close(store, complete=False)
                print(f"tribench: interrupted; {go_on}", file=sys.stderr)
                raise typer.Exit(INTERRUPTED) from None
            if left_out:
                print(f"tribench: the time budget is used up; {go_on}", file=sys.stderr)
            return session.close(store, complete=not left_out)
    except WriteError as error:
        raise WriteError(f"{error}; {go_on}") from None


def _told(done: Run, as_json: bool, quiet: bool) -> NoReturn:
    """Say what a run found, and end with its exit code."""
    where = f"Page: {done.path / 'page.html'}"
    if as_json:
        print(json_of(done.summary))
        if not quiet:
            print(where, file=sys.stderr)
    else:
        tables.show(done.summary, console())
        print(f"\n{where}")
    raise typer.Exit(exit_code(done.summary))
