"""A run from its options to its directory: begun, gone on with, closed, read back."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from suite.analysis import words
from suite.analysis.comparable import differences
from suite.analysis.summary import summarise
from suite.analysis.upgrade import upgraded
from suite.analysis.verdict import DELTA
from suite.engine.inputs import TaskInputs
from suite.files import WriteError, write_whole
from suite.plan.options import Choice
from suite.plan.plan import Plan
from suite.records.personal import without_paths
from suite.records.run import Run
from suite.records.schema import AnyRecord, Manifest, PhaseRecord, Upgrade
from suite.report.page import page
from suite.report.page.upgrade import render_upgrade
from suite.report.streams import readable
from suite.report.terminal import tables
from suite.report.terminal import upgrade as in_text
from suite.store import directory, seal
from suite.store.directory import RunDirectory, StoreError
from suite.store.fingerprint import fingerprint, version, versions
from suite.store.recovery import possible
from suite.store.recovery import read as read
from suite.worker.made import Wanted
from suite.worker.private import without_private
from tasks.base import Task
from tasks.codec import spec_hash

CHOICE = TypeAdapter(Choice)


def begin(plan: Plan, output: Path, command: str, upgrade: Upgrade | None = None) -> RunDirectory:
    """A new run directory with its manifest and environment."""
    choice = plan.choice
    manifest = Manifest(
        id=directory.new_id(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tribench=version(),
        command=command,
        label=choice.label,
        profile=choice.profile,
        launches=plan.launches,
        seeds=sorted({seed for seeds in plan.seeds.values() for seed in seeds}),
        delta=DELTA,
        choice=asdict(choice),
        tasks=_tasks(plan),
        cells=list(plan.cells),
        complete=False,
        upgrade=upgrade,
    )
    environment = fingerprint(plan.installations, choice.device, choice.environment)
    store = directory.create(output, manifest.id)
    try:
        store.write("manifest.json", manifest)
        store.write("environment.json", environment)
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


def go_on(path: Path, plan: Plan) -> RunDirectory:
    """Open a run to finish it; StoreError if it would now measure something else."""
    manifest, environment = directory.read_manifest(path), directory.read_environment(path)
    here = fingerprint(plan.installations, plan.choice.device, plan.choice.environment)
    apart = [each for each in differences(environment, here) if each.matters]
    why = None
    if apart:  # what makes two runs incomparable; a system tells its memory a little differently
        told = "; ".join(f"{each.what}: {each.base}, here {each.new}" for each in apart)
        why = f"it was begun on another machine or with other settings ({told})"
    elif list(plan.cells) != manifest.cells:
        why = "other backends or tasks are there now"
    elif _tasks(plan) != manifest.tasks:
        why = "its tasks have changed"
    elif not versions(plan.installations).items() <= environment.backends.items():
        why = "its frameworks have other versions now"
    if why is not None:
        raise StoreError(f"{path} cannot be resumed: {why}")
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
        summary=summarise(manifest, records, [f"Damaged: {told}." for told in damage]),
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
    with possible(run.path):
        if run.damage and seal.is_sealed(run.path):  # what is left stays as it was
            write_whole(run.path / "page.html", page.render(run))
            return
        _write(run)
    if seal.is_sealed(run.path):
        seal.seal(run.path, again=True)


def read_and_warn(path: Path) -> Run:
    """A run; what is damaged in it goes to standard error."""
    run = read(path)
    for told in run.damage:
        print(words.plain(f"tribench: {path} is damaged: {told}"), file=sys.stderr)
    return run


def _write(run: Run) -> None:
    tables.write(run, run.path / "tables")
    write_whole(run.path / "summary.md", tables.markdown(run.summary))
    write_whole(run.path / "page.html", page.render(run))
    if run.manifest.upgrade is not None:
        found = upgraded(run, run.manifest.upgrade)
        write_whole(run.path / "upgrade.md", in_text.markdown(found))
        write_whole(run.path / "upgrade-table.md", in_text.comment(found))
        write_whole(run.path / "upgrade.html", render_upgrade(found))


def command(
    choice: Choice,
    pythons: Mapping[str, str],
    made: Sequence[Wanted] = (),
    upgrade: Upgrade | None = None,
    weights: Sequence[str] = (),
) -> str:
    """The line that repeats a run: what differs from the defaults, as it is typed; interpreters and
    files of ``weights`` by name, not path, and environments that tribench made without pip's
    options.
    """
    typed = ["tribench", "run"]
    if upgrade is not None:
        typed = ["tribench", "upgrade", upgrade.base_requirements, upgrade.new_requirements]
        typed += ["--backend", upgrade.backend]
        choice, pythons = replace(choice, backends=()), {}
    typed += ["--profile", choice.profile, "--device", choice.device]
    for name, value in asdict(choice).items():
        if name in ("profile", "device", "label") or value == getattr(Choice, name):
            continue
        several = isinstance(value, tuple)
        option = f"--{name.removesuffix('s') if several else name}".replace("_", "-")
        typed += [str(w) for each in (value if several else [value]) for w in (option, each)]
    arms = {each.name: each for each in made}
    for name, path in pythons.items():
        if name in arms:
            typed += ["--with", f"{name}={arms[name].shown}"]
        else:
            typed += ["--python", f"{name}={Path(path).name}"]
    for each in weights:
        task, _, path = each.partition("=")
        typed += ["--weights", f"{task}={Path(path).name}"]
    return readable(shlex.join(typed))


def _tasks(plan: Plan) -> dict[str, dict[str, str | int]]:
    return {task.name: _told(task, len(plan.seeds[task.name])) for task in plan.tasks}


def _told(task: Task, seeds: int) -> dict[str, str | int]:
    told: dict[str, str | int] = {
        "spec": spec_hash(task),
        "data": without_paths(without_private(task.data.name)),
        "data_hash": TaskInputs(task, 0, Path()).data_hash,
        "batch_size": task.batch_size,
        "epochs": task.epochs,
        "seeds": seeds,
        "parameters": task.model.size(),
        "flops": task.model.flops(),
    }
    if task.weights is not None:
        told["weights"] = task.weights.name
    return told if task.model.tokens is None else told | {"tokens": task.model.tokens}


def _facts(records: Sequence[AnyRecord]) -> dict[str, dict[str, str]]:
    """What the adapters tell of their programs, by installation; where tasks differ, with their
    names.
    """
    told: dict[str, dict[str, dict[str, dict[str, None]]]] = {}
    for record in records:
        if isinstance(record, PhaseRecord) and record.cell is not None:
            installation = told.setdefault(f"{record.cell.backend} {record.cell.execution}", {})
            for name, value in record.facts.items():
                installation.setdefault(name, {}).setdefault(value, {})[record.cell.task] = None
    return {
        installation: {
            name: next(iter(values))
            if len(values) == 1
            else "; ".join(f"{value} ({', '.join(tasks)})" for value, tasks in values.items())
            for name, values in named.items()
        }
        for installation, named in told.items()
    }
