"""The command line. Progress goes to standard error, results to standard output."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from backends.base import EXECUTIONS
from suite import budget, catalogue, outputs, runner, session
from suite.catalogue import CatalogueError
from suite.conformance.checks import CONFORMANCE_SCHEMA, THRESHOLDS, Check, Result
from suite.conformance.run import conform, pick
from suite.conformance.table import show_conformance
from suite.doctor import machine
from suite.doctor.answer import DOCTOR_SCHEMA
from suite.doctor.findings import findings
from suite.doctor.plan import examine
from suite.doctor.table import conclusion, show_answers
from suite.listing import listing, show_listing
from suite.material import Material, MaterialError
from suite.measure import idle
from suite.options import Device, Json, Many, Pythons, Quiet, console, interpreters, split
from suite.outputs import OutputError, json_of, readable
from suite.parity import calibration, gate
from suite.parity.asking import Interrupted, ask, references_of
from suite.parity.calibration import NotCorrect
from suite.parity.reference import ReferenceFailed
from suite.parity.thresholds import LIMITS, RECORD
from suite.plan import Choice, Lane, Plan, UsageError, check, choose, lanes, make, pick_tasks
from suite.progress import reporter
from suite.report import tables
from suite.report.parity_page import render_parity
from suite.report.parity_table import show_limits, show_parity
from suite.results_cli import compare, export, publish, report
from suite.store import directory, seal
from suite.store.directory import RunDirectory, StoreError
from suite.store.fingerprint import version
from suite.store.lock import Lock
from suite.store.run import Run
from suite.store.schema import PARITY_SCHEMA, ParityResult
from suite.store.writing import WriteError, keep_logs, scratch, write_whole
from suite.summary import exit_code
from suite.worker.discovery import Arm, InterpreterError, arms
from suite.worker.environment import CONTROLLED
from suite.worker.host import NO_LIMITS
from tasks.codec import encode, portable

USAGE, FAILED, INTERRUPTED = 2, 1, 130
RUNS = Path("results/runs")

app = typer.Typer(
    name="tribench",
    help="One model, three frameworks, one honest verdict.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run(
    profile: Annotated[str, typer.Option(help="quick, standard or full.")] = "quick",
    task: Many = None,
    backend: Many = None,
    execution: Many = None,
    precision: Many = None,
    phase: Many = None,
    device: Device = "cpu",
    batch_size: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    python: Pythons = None,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    launches: Annotated[int | None, typer.Option(help="Fresh starts of all workers.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Trainings per task and backend; may be 0.")
    ] = None,
    time_budget: Annotated[
        float | None, typer.Option(help="Minutes; seeds and launches are cut to fit.")
    ] = None,
    aa: Annotated[
        str | None, typer.Option(help="A backend that is timed twice, to show the noise.")
    ] = None,
    output: Annotated[Path, typer.Option(help="Where run directories go.")] = RUNS,
    resume: Annotated[Path | None, typer.Option(help="Finish this run.")] = None,
    label: Annotated[str | None, typer.Option(help="A name for the run.")] = None,
    environment: Annotated[
        str, typer.Option(help="Of the workers: controlled, the same for all, or stock.")
    ] = CONTROLLED,
    worker_timeout: Annotated[
        float, typer.Option(help="Seconds that a worker may take for one answer.")
    ] = NO_LIMITS.answer_seconds,
    worker_memory: Annotated[
        float | None, typer.Option(help="GiB of address space that a worker may take.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check parity, then measure throughput, memory and accuracy."""
    pythons = interpreters(python)
    choice = Choice(
        profile=profile,
        tasks=split(task),
        backends=split(backend),
        executions=split(execution),
        precisions=split(precision),
        phases=split(phase),
        device=device,
        batch_sizes=tuple(batch_size or ()),
        seed=seed,
        launches=launches,
        seeds=seeds,
        time_budget=time_budget,
        aa=aa,
        label=None if label is None else readable(label),
        environment=environment,
        worker_timeout=worker_timeout,
        worker_memory=worker_memory,
    )
    if resume is not None:
        if choice != Choice():
            raise UsageError("--resume takes its options from the run; give --python alone")
        if seal.is_sealed(resume):
            done = session.read(resume)
            session.render(done)
            _told(done, as_json, quiet)
        choice = session.choice_of(resume)
    known = catalogue.tasks()
    check(choice, known)
    awake = idle.kept_awake() if choice.environment == CONTROLLED else nullcontext()
    with Lock() as lock, awake:
        if resume is None:
            directory.check(output)
        found = arms(pythons, choice.device, wanted=choice.backends)
        plan = budget.fit(make(choice, known, found))
        if resume is None:
            store = session.begin(plan, choice, found, output, session.command(choice, pythons))
        else:
            store = session.go_on(resume, plan, found)
        lock.tell(store.path.absolute())
        if not quiet:
            print(f"tribench: {budget.announcement(plan)}", file=sys.stderr)
        done = _measure(plan, found, store, pythons, quiet)
    _told(done, as_json, quiet)


@app.command()
def parity(
    task: Many = None,
    backend: Many = None,
    execution: Many = None,
    precision: Many = None,
    device: Device = "cpu",
    python: Pythons = None,
    seed: Annotated[int, typer.Option(help="Of parameters and samples.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many, from that one on.")] = 1,
    page: Annotated[Path | None, typer.Option(help="Write the answers as a page.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Is it the same function, precision and training in every backend and execution?"""
    choice = Choice(
        tasks=split(task),
        backends=split(backend),
        executions=split(execution),
        precisions=split(precision),
        device=device,
        seed=seed,
    )
    known = catalogue.tasks()
    check(choice, known)
    if page is not None:
        directory.check_file(page)
    precisions = choose("precision", choice.precisions or gate.USUAL, gate.PRECISIONS)
    found = arms(interpreters(python), device, wanted=choice.backends)
    asked = [lane for p in precisions for lane in lanes(choice, found, p, every=True)]
    tasks = pick_tasks(choice.tasks, ("*",), known)
    wanted = [(one, number) for one in tasks for number in range(seed, seed + seeds)]
    with references_of(found) as (references, roster, files):
        try:
            results = ask(wanted, asked, references, roster, files, quiet)
        except Interrupted as stop:
            if not as_json:
                show_parity(stop.results, console())
            raise
    if page is not None:
        facts = {"tribench": {"version": version()}}
        facts |= {arm.name: dict(arm.adapter.versions) for arm in found if arm.why is None}
        write_whole(page, render_parity(results, LIMITS, facts))
        if not quiet:
            print(f"Page: {page}", file=sys.stderr)
    if as_json:
        data = [result.model_dump(mode="json") for result in results]
        print(json.dumps({"schema": PARITY_SCHEMA, "results": data}))
    else:
        show_parity(results, console())
    raise typer.Exit(FAILED if any(result.wrong for result in results) else 0)


@app.command()
def calibrate(
    task: Many = None,
    backend: Many = None,
    precision: Many = None,
    python: Pythons = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Per task; 50 of tiny ones, 5 of others.")
    ] = None,
    output: Annotated[Path, typer.Option(help="The record that is written.")] = RECORD,
    quiet: Quiet = False,
) -> None:
    """Derive parity's thresholds anew, from correct programs and known mistakes; with --precision
    float32 or bfloat16 that precision's, the others staying as they are. For developers.
    """
    choice, known = Choice(tasks=split(task), backends=split(backend)), catalogue.tasks()
    check(choice, known)
    directory.check_file(output)
    found = arms(interpreters(python), wanted=choice.backends)
    alone = choose("precision", split(precision), tuple(LIMITS.precision))
    every = alone or (gate.EXACT, *LIMITS.precision)
    asked = [lane for p in every for lane in lanes(choice, found, p, every=True)]
    counts = {
        one: seeds or (50 if one.name.endswith("-tiny") else 5)
        for one in pick_tasks(choice.tasks, ("*",), known)
    }
    results: list[ParityResult] = []
    with references_of(found) as (references, roster, files):
        mistakes = {}
        if not alone:
            firsts = [Material(one, 0, files) for one in counts]
            mistakes = calibration.mistakes(references[0], firsts)
        for one, count in counts.items():
            wanted = [(one, seed) for seed in range(count)]
            results += ask(wanted, asked, references, roster, files, quiet)
            references[0].forget()  # a seed of cnn-tiny is 0.1 GB
    if alone:
        limits = calibration.rederived(LIMITS, results)
    else:
        seen = {one.name: count for one, count in counts.items()}
        limits = calibration.derive(results, mistakes, seen)
    write_whole(output, limits.model_dump_json(indent=1) + "\n")
    show_limits(limits, console())


@app.command("list")
def list_(
    task: Many = None,
    backend: Many = None,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
) -> None:
    """Which tasks and backends there are, which can run which, and why not where not."""
    choice, known = Choice(tasks=split(task), device=device), catalogue.tasks()
    check(choice, known)
    tasks = [known[name] for name in choose("task", choice.tasks or ("*",), known)]
    encoded = [encode(portable(one)) for one in tasks]
    asked = arms(interpreters(python), device, encoded, split(backend))
    named = {arm.name: arm for arm in asked}
    picked = [named[name] for name in choose("backend", split(backend) or ("*",), named)]
    found = listing(tasks, picked, device)
    if as_json:
        print(json.dumps(found))
    else:
        show_listing(found, console())


@app.command()
def conformance(
    name: Annotated[str, typer.Argument(help="The backend, as tribench list has it.")],
    execution: Many = None,
    precision: Many = None,
    only: Annotated[
        list[str] | None, typer.Option("--check", help="These checks alone; as --execution.")
    ] = None,
    case: Many = None,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Does an adapter do everything that it owes? For those who write one."""
    choice = Choice(executions=split(execution), precisions=split(precision), device=device)
    check(choice, {})
    precisions = choose("precision", choice.precisions, THRESHOLDS)
    checks = pick(split(only), split(case))
    found = {arm.name: arm for arm in arms(interpreters(python), device, wanted=(name,))}
    if name not in found:
        raise UsageError(f"no backend {name!r}; there are {', '.join(found)}")
    if (why := found[name].why) is not None:
        raise UsageError(f"{name} is not available: {why}")
    asked = [
        Lane(arm=found[name], execution=e, precision=p, device=device)
        for e in choose("execution", choice.executions, EXECUTIONS)
        or found[name].adapter.executions
        for p in precisions or [p for p in found[name].adapter.precisions if p in THRESHOLDS]
    ]
    done_in = dict.fromkeys(each for one in checks for each in one.precisions)
    if not any(lane.precision in done_in for lane in asked):
        given = ", ".join(dict.fromkeys(lane.precision for lane in asked)) or "none of them"
        known = ", ".join(done_in)
        raise UsageError(f"nothing to check: that is done in {known}, and asked for is {given}")
    results = _conform(asked, runner.reference_lane(list(found.values())), checks, quiet)
    if as_json:
        data = [asdict(result) for result in results]
        print(json.dumps({"schema": CONFORMANCE_SCHEMA, "backend": name, "results": data}))
    else:
        show_conformance(name, results, console())
    raise typer.Exit(FAILED if any(r.verdict in ("fail", "failed") for r in results) else 0)


@app.command()
def doctor(
    launches: Annotated[
        int, typer.Option(min=0, help="Of A/A, a framework against itself; 0 leaves it out.")
    ] = 5,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Does tribench measure right here, and what on this machine spoils measurements?"""
    if launches == 1:
        raise UsageError("--launches (=1) must be 0 or at least 2: one tells nothing of others")
    check(Choice(device=device), {})
    with Lock() as lock:
        lock.tell(Path("tribench doctor"))
        looked = findings(machine.read())
        found = arms(interpreters(python), device)
        with idle.kept_awake(), scratch() as files, reporter(quiet) as progress:
            seen = examine(found, launches, files, progress, device)
            if seen.logs is not None:
                keep_logs(seen.logs)
    sections = {"Self-tests": seen.tests, "Machine": looked, "Frameworks": seen.frameworks}
    if as_json:
        data = {title: list(map(asdict, answers)) for title, answers in sections.items()}
        named = {title.lower().replace("-", "_"): each for title, each in data.items()}
        print(json.dumps({"schema": DOCTOR_SCHEMA} | named))
    else:
        show_answers(sections, console())
        print(f"\n{conclusion(sections)}")
    raise typer.Exit(FAILED if any(test.verdict == "fail" for test in seen.tests) else 0)


for command in (report, compare, export, publish):
    app.command()(command)


def main() -> NoReturn:
    """Run the command line; wrong use is one line and exit code 2."""
    signal.signal(signal.SIGTERM, _interrupt)
    outputs.prepare()
    try:
        code = app(standalone_mode=False)
        outputs.finish()
    except (UsageError, StoreError, InterpreterError, CatalogueError, MaterialError) as error:
        _leave(str(error), USAGE)
    except OutputError as error:
        _leave(str(error), USAGE)  # 1 would be taken for a regression
    except (WriteError, NotCorrect, ReferenceFailed) as error:
        _leave(str(error), FAILED)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Rich and Typer make 1 of it
            _leave(str(outputs.lost(end.__context__)), USAGE)
        raise
    except KeyboardInterrupt:
        _leave("interrupted", INTERRUPTED)
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in outputs.LOST:
            _leave(str(outputs.lost(error)), USAGE)  # of more than one buffer
        # Typer's own complaints about options and arguments.
        explain: Callable[[], str] | None = getattr(error, "format_message", None)
        if explain is None:
            raise
        _leave(explain() or "see tribench --help", getattr(error, "exit_code", USAGE))
    sys.exit(code if isinstance(code, int) else 0)


def _measure(
    plan: Plan, found: Sequence[Arm], store: RunDirectory, pythons: dict[str, str], quiet: bool
) -> Run:
    """The finished run; if something ends it before, one line says how to go on."""
    again = ["tribench", "run", "--resume", str(store.path)]
    again += [f"--python={name}={path}" for name, path in pythons.items()]
    go_on = f"what is done is kept, go on with: {shlex.join(again)}"
    try:
        with store:
            try:
                with reporter(quiet) as progress:
                    left_out = runner.run(plan, found, store, progress)
            except KeyboardInterrupt:
                session.close(store, complete=False)
                print(f"tribench: interrupted; {go_on}", file=sys.stderr)
                raise typer.Exit(INTERRUPTED) from None
            if left_out:
                print(f"tribench: the time budget is used up; {go_on}", file=sys.stderr)
            return session.close(store, complete=not left_out)
    except WriteError as error:
        _leave(f"{error}; {go_on}", FAILED)


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


def _conform(
    asked: Sequence[Lane], reference: Lane, checks: Sequence[Check], quiet: bool
) -> list[Result]:
    """The answers of these checks; the logs are kept only if a worker failed."""
    with scratch() as files, reporter(quiet) as progress:
        results = conform(asked, reference, checks, files, files / "logs", progress)
        if any(result.verdict == "failed" for result in results):
            keep_logs(files / "logs")
    return results


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _leave(message: str, code: int) -> NoReturn:
    with suppress(OSError):  # it may be gone
        print(f"tribench: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
