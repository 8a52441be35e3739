"""A run from its options to its directory: begun, gone on with, closed, read back."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from math import prod
from pathlib import Path
from typing import Any

from suite.material import Material
from suite.measure.verdict import DELTA
from suite.plan import Choice, Plan
from suite.report import page, tables
from suite.store import directory
from suite.store.directory import RunDirectory, StoreError
from suite.store.fingerprint import fingerprint, version
from suite.store.run import Run
from suite.store.schema import AnyRecord, Environment, Manifest, PhaseRecord
from suite.store.writing import WriteError, write_whole
from suite.summary import summarise
from suite.worker.discovery import Arm
from suite.worker.environment import CONTROLLED
from tasks.codec import spec_hash


def begin(
    plan: Plan, choice: Choice, arms: Sequence[Arm], output: Path, command: str
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
        cells=[cell for lane in plan.lanes for cell in plan.cells(lane)],
        complete=False,
    )
    store = directory.create(output, manifest.id)
    try:
        store.write("manifest.json", manifest)
        store.write("environment.json", fingerprint(arms, choice.device, choice.environment))
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
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in typed.items()
    }
    return Choice(**values)


def go_on(path: Path, plan: Plan, arms: Sequence[Arm]) -> RunDirectory:
    """Open a run to finish it; StoreError if it would now measure something else."""
    manifest, environment = directory.read_manifest(path), directory.read_environment(path)
    if [cell for lane in plan.lanes for cell in plan.cells(lane)] != manifest.cells:
        raise StoreError(f"{path} cannot be resumed: other backends or tasks are there now")
    if _tasks(plan) != manifest.tasks:
        raise StoreError(f"{path} cannot be resumed: its tasks have changed")
    now: Environment = fingerprint(arms, manifest.cells[0].device if manifest.cells else "cpu")
    if now.backends != environment.backends:
        raise StoreError(f"{path} cannot be resumed: its frameworks have other versions now")
    return RunDirectory(path)


def close(store: RunDirectory, complete: bool) -> Run:
    """Write what is made from the records, and the manifest's last word."""
    manifest = directory.read_manifest(store.path).model_copy(update={"complete": complete})
    records, damaged = directory.read_records(store.path)
    update = {"facts": _facts(records)}
    environment = directory.read_environment(store.path).model_copy(update=update)
    run = Run(
        path=store.path,
        manifest=manifest,
        environment=environment,
        records=records,
        summary=summarise(manifest, records, damaged),
    )
    store.write("environment.json", environment)
    render(run)
    store.write("summary.json", run.summary)
    store.write("manifest.json", manifest)
    return run


def render(run: Run) -> None:
    """Tables, Markdown and page, from what is in the run."""
    tables.write(run, run.path / "tables")
    write_whole(run.path / "summary.md", tables.markdown(run.summary))
    write_whole(run.path / "page.html", page.render(run))


def read(path: Path) -> Run:
    """A run as its records tell it now."""
    manifest, environment = directory.read_manifest(path), directory.read_environment(path)
    records, damaged = directory.read_records(path)
    return Run(
        path=path,
        manifest=manifest,
        environment=environment,
        records=records,
        summary=summarise(manifest, records, damaged),
    )


def command(choice: Choice, pythons: Mapping[str, str]) -> str:
    """The line that repeats a run; interpreters by name, not path."""
    words = ["tribench", "run", "--profile", choice.profile, "--device", choice.device]
    for option, values in (
        ("--task", choice.tasks),
        ("--backend", choice.backends),
        ("--execution", choice.executions),
        ("--precision", choice.precisions),
        ("--phase", choice.phases),
        ("--batch-size", choice.batch_sizes),
    ):
        words += [word for value in values for word in (option, str(value))]
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
        words += [] if value is None else [option, str(value)]
    for name, path in pythons.items():
        words += ["--python", f"{name}={Path(path).name}"]
    return shlex.join(words)


def _tasks(plan: Plan) -> dict[str, dict[str, str | int]]:
    return {
        task.name: {
            "spec": spec_hash(task),
            "data": task.data.name,
            "data_hash": Material(task, 0, Path()).data_hash,
            "batch_size": task.batch_size,
            "epochs": task.epochs,
            "seeds": len(plan.seeds[task.name]),
            "parameters": sum(prod(p.shape) for p in task.model.parameters().values()),
            "flops": task.model.flops(),
        }
        for task in plan.tasks
    }


def _facts(records: Sequence[AnyRecord]) -> dict[str, dict[str, str]]:
    """What the adapters tell of their programs, by arm; where tasks differ, with their names."""
    told: dict[str, dict[str, dict[str, list[str]]]] = {}
    for record in records:
        if isinstance(record, PhaseRecord) and record.cell is not None:
            arm = told.setdefault(f"{record.cell.backend} {record.cell.execution}", {})
            for name, value in record.facts.items():
                tasks = arm.setdefault(name, {}).setdefault(value, [])
                tasks += [] if record.cell.task in tasks else [record.cell.task]
    return {
        arm: {
            name: next(iter(values))
            if len(values) == 1
            else "; ".join(f"{value} ({', '.join(tasks)})" for value, tasks in values.items())
            for name, values in named.items()
        }
        for arm, named in told.items()
    }
