"""A run from its options to its directory: begun, gone on with, closed, read back."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from math import prod
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from suite.analysis import words
from suite.analysis.comparable import differences
from suite.analysis.summary import summarise
from suite.analysis.verdict import DELTA
from suite.engine.inputs import TaskInputs
from suite.files import WriteError, write_whole
from suite.plan.options import Choice
from suite.plan.plan import Plan
from suite.records.personal import without_paths
from suite.records.run import Run
from suite.records.schema import AnyRecord, Manifest, PhaseRecord
from suite.report.page import page
from suite.report.streams import readable
from suite.report.terminal import tables
from suite.store import directory, seal
from suite.store.directory import RunDirectory, StoreError
from suite.store.fingerprint import fingerprint, version, versions
from suite.store.recovery import salvage
from suite.worker.environment import CONTROLLED
from suite.worker.installations import Installation
from tasks.codec import spec_hash

CHOICE = TypeAdapter(Choice)


def begin(
    plan: Plan, choice: Choice, installations: Sequence[Installation], output: Path, command: str
) -> RunDirectory:
    """A new run directory with its manifest and environment."""
    manifest = Manifest(
        id=directory.new_id(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tribench=version(),
        command=command,
        label=plan.label,
        profile=plan.profile,
        launches=plan.launches,
        seeds=sorted({seed for seeds in plan.seeds.values() for seed in seeds}),
        delta=DELTA,
        choice=asdict(choice),
        tasks=_tasks(plan),
        cells=[cell for configuration in plan.configurations for cell in plan.cells(configuration)],
        complete=False,
    )
    store = directory.create(output, manifest.id)
    try:
        store.write("manifest.json", manifest)
        store.write(
            "environment.json", fingerprint(installations, choice.device, choice.environment)
        )
    except WriteError:
        store.remove()
        raise
    return store


def choice_of(path: Path) -> Choice:
    """The options that a run was begun with."""
    typed = directory.read_manifest(path).choice
    known = {field.name for field in fields(Choice)}
    if typed.keys() != known:
        raise StoreError(f"{path} was begun by another version and cannot be resumed")
    try:
        return CHOICE.validate_json(json.dumps(typed), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path} is damaged: choice.{where}: {first['msg']}") from None


def go_on(path: Path, plan: Plan, installations: Sequence[Installation]) -> RunDirectory:
    """Open a run to finish it; StoreError if it would now measure something else."""
    manifest, environment = directory.read_manifest(path), directory.read_environment(path)
    choice = choice_of(path)
    here = fingerprint(installations, choice.device, choice.environment)
    apart = [each for each in differences(environment, here) if each.matters]
    if apart:  # what makes two runs incomparable; a system tells its memory a little differently
        told = "; ".join(f"{each.what}: {each.base}, here {each.new}" for each in apart)
        why = "it was begun on another machine or with other settings"
        raise StoreError(f"{path} cannot be resumed: {why} ({told})")
    if [
        cell for configuration in plan.configurations for cell in plan.cells(configuration)
    ] != manifest.cells:
        raise StoreError(f"{path} cannot be resumed: other backends or tasks are there now")
    if _tasks(plan) != manifest.tasks:
        raise StoreError(f"{path} cannot be resumed: its tasks have changed")
    if not versions(installations).items() <= environment.backends.items():
        raise StoreError(f"{path} cannot be resumed: its frameworks have other versions now")
    return RunDirectory(path)


def close(store: RunDirectory, complete: bool) -> Run:
    """Write what is made from the records, the manifest's last word and, over all, the seal."""
    manifest = directory.read_manifest(store.path).model_copy(update={"complete": complete})
    records, damaged = directory.read_records(store.path)
    damage = tuple(f"records.jsonl: {told}" for told in damaged)
    update = {"facts": _facts(records)}
    environment = directory.read_environment(store.path).model_copy(update=update)
    run = Run(
        path=store.path,
        manifest=manifest,
        environment=environment,
        records=records,
        summary=summarise(manifest, records, _notes(damage)),
        damage=damage,
    )
    store.write("environment.json", environment)
    _write(run)
    store.write("summary.json", run.summary)
    store.write("manifest.json", manifest)
    if complete:
        seal.seal(store.path)
    return run


def render(run: Run) -> None:
    """The page, and of a run that is whole tables and Markdown too, from what is in the run."""
    with _possible(run.path):
        if run.damage and seal.is_sealed(run.path):  # what is left stays as it was
            write_whole(run.path / "page.html", page.render(run))
            return
        _write(run)
    if seal.is_sealed(run.path):
        seal.renew(run.path)


def read(path: Path) -> Run:
    """A run as its records tell it now, damaged or not; StoreError if there is nothing to tell."""
    found = salvage(path)
    notes = _notes(found.damage)
    if found.summary is None:
        with _possible(path):
            summary = summarise(found.manifest, found.records, notes)
    else:
        notes = list(dict.fromkeys([*found.summary.notes, *notes]))
        summary = found.summary.model_copy(update={"notes": notes})
    return Run(
        path=path,
        manifest=found.manifest,
        environment=found.environment,
        records=found.records,
        summary=summary,
        damage=tuple(found.damage),
    )


def read_and_warn(path: Path) -> Run:
    """A run; what is damaged in it goes to standard error."""
    run = read(path)
    for told in run.damage:
        print(words.plain(f"tribench: {path} is damaged: {told}"), file=sys.stderr)
    return run


@contextmanager
def _possible(path: Path) -> Iterator[None]:
    """Numbers that nobody can have measured end in one line, wherever they lead."""
    try:
        yield
    except StoreError:
        raise
    except (ArithmeticError, ValueError) as error:
        why = " ".join(str(error).split())[:100]
        raise StoreError(f"{path} holds numbers that no run can have: {why}") from None


def check(path: Path) -> None:
    """Raise StoreError if nothing in it can be shown; quickly where its manifest is sound."""
    try:
        directory.read_manifest(path)
    except directory.NewerError:
        raise
    except StoreError:
        read(path)


def _notes(damage: Sequence[str]) -> list[str]:
    return [f"Damaged: {told}." for told in damage]


def _write(run: Run) -> None:
    tables.write(run, run.path / "tables")
    write_whole(run.path / "summary.md", tables.markdown(run.summary))
    write_whole(run.path / "page.html", page.render(run))


def command(choice: Choice, pythons: Mapping[str, str]) -> str:
    """The line that repeats a run; interpreters by name, not path."""
    typed = ["tribench", "run", "--profile", choice.profile, "--device", choice.device]
    for option, values in (
        ("--task", choice.tasks),
        ("--backend", choice.backends),
        ("--execution", choice.executions),
        ("--precision", choice.precisions),
        ("--phase", choice.phases),
        ("--batch-size", choice.batch_sizes),
    ):
        typed += [word for value in values for word in (option, str(value))]
    timeout = choice.worker_timeout
    for option, value in (
        ("--seed", choice.seed or None),
        ("--launches", choice.launches),
        ("--seeds", choice.seeds),
        ("--time-budget", choice.time_budget),
        ("--aa", choice.aa),
        ("--environment", None if choice.environment == CONTROLLED else choice.environment),
        ("--worker-timeout", None if timeout == Choice.worker_timeout else timeout),
        ("--worker-memory", choice.worker_memory),
    ):
        typed += [] if value is None else [option, str(value)]
    for name, path in pythons.items():
        typed += ["--python", f"{name}={Path(path).name}"]
    return readable(shlex.join(typed))


def _tasks(plan: Plan) -> dict[str, dict[str, str | int]]:
    return {
        task.name: {
            "spec": spec_hash(task),
            "data": without_paths(task.data.name),
            "data_hash": TaskInputs(task, 0, Path()).data_hash,
            "batch_size": task.batch_size,
            "epochs": task.epochs,
            "seeds": len(plan.seeds[task.name]),
            "parameters": sum(prod(p.shape) for p in task.model.parameters().values()),
            "flops": task.model.flops(),
        }
        for task in plan.tasks
    }


def _facts(records: Sequence[AnyRecord]) -> dict[str, dict[str, str]]:
    """What the adapters tell of their programs, by installation; where tasks differ, with their
    names.
    """
    told: dict[str, dict[str, dict[str, list[str]]]] = {}
    for record in records:
        if isinstance(record, PhaseRecord) and record.cell is not None:
            installation = told.setdefault(f"{record.cell.backend} {record.cell.execution}", {})
            for name, value in record.facts.items():
                tasks = installation.setdefault(name, {}).setdefault(value, [])
                tasks += [] if record.cell.task in tasks else [record.cell.task]
    return {
        installation: {
            name: next(iter(values))
            if len(values) == 1
            else "; ".join(f"{value} ({', '.join(tasks)})" for value, tasks in values.items())
            for name, values in named.items()
        }
        for installation, named in told.items()
    }
