"""What the doctor measures, by the jobs that a run consists of."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from suite.analysis.summary import summarise
from suite.analysis.times import Times
from suite.analysis.verdict import DELTA
from suite.doctor import aa, selftests
from suite.doctor.answer import Answer
from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES, Job, JobGroup, Sink, Stage
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.remote import bare
from suite.engine.scheduler import perform
from suite.measure import memory, timing
from suite.plan import catalogue
from suite.plan.configurations import Configuration
from suite.records.schema import (
    TWIN,
    AnyRecord,
    Cell,
    FailureRecord,
    Manifest,
    MemoryRecord,
    Phase,
    PhaseRecord,
)
from suite.store import directory
from suite.worker.adapters import Adapter
from suite.worker.environment import threads
from suite.worker.installations import Installation
from suite.worker.process import WorkerSettings
from tasks.base import Batch, Splits, Task
from tasks.parameters import uniform
from tasks.spec import SGD

LAUNCHES = 3  # of the known programs
AA_TASK = "cnn-tiny"
AA_FIRST = ("torch", "jax", "tensorflow")
SAMPLES = 16
ACCOUNT = "account"  # of the known times


@dataclass(frozen=True, kw_only=True)
class NoData:
    """Data for the known programs, which look at none."""

    name: str = "none"

    def load(self) -> Splits:
        """A few samples, three times."""
        batch = Batch(
            inputs=uniform(0, "known", (SAMPLES, selftests.FEATURES)),
            targets=np.zeros(SAMPLES, np.int32),
        )
        return Splits(train=batch, validation=batch, test=batch)


class Examined(NamedTuple):
    """The self-tests, A/A the last of them, and what the frameworks told; ``logs`` is where the
    workers' are, if one failed.
    """

    tests: list[Answer]
    frameworks: list[Answer]
    logs: Path | None


def examine(
    installations: Sequence[Installation],
    launches: int,
    files: Path,
    reporter: Reporter,
    device: str = "cpu",
) -> Examined:
    """Measure the known programs, on the CPU, and with ``launches`` A/A on the device; files go to
    ``files``. KeyboardInterrupt ends all workers.
    """
    present = [
        installation
        for name in AA_FIRST
        for installation in installations
        if installation.name == name and not installation.why
    ]
    able = [_configuration(installation, device) for installation in present]
    known = replace(bare(selftests.MODEL, SGD(learning_rate=0.1), selftests.BATCH), data=NoData())
    sleeper, allocator = _known("Sleeper"), _known("Allocator")
    phases: tuple[Phase, ...] = ("train", "infer")
    slept = [(sleeper, _cell(sleeper, known, phase)) for phase in phases]
    allocated = [(allocator, _cell(allocator, known, "infer"))]
    aa_task = catalogue.tasks()[AA_TASK]
    inputs_of = {task.name: TaskInputs(task, 0, files) for task in (known, aa_task)}
    pair = _pair(able[0], aa_task) if able and launches else []
    state = timing.State()

    def launch(number: int, groups: list[list[tuple[Configuration, Cell]]]) -> JobGroup:
        return timing.launch(number, groups, inputs_of, state)

    stages = [
        Stage(
            name="known times",
            groups=tuple(
                _with_account(launch(n, [[each] for each in slept]), sleeper, n)
                for n in range(LAUNCHES)
            ),
        ),
        Stage(name="known memory", groups=memory.groups(allocated, inputs_of, state.failed)),
        Stage(
            name="frameworks",
            groups=tuple(_asked(configuration, inputs_of[AA_TASK]) for configuration in able),
        ),
        Stage(
            name="A/A",
            settings=WorkerSettings(preallocated=True),
            groups=tuple(launch(n, [pair]) for n in range(launches if pair else 0)),
        ),
    ]
    with directory.create(files, directory.new_id()) as store:
        perform(stages, store, LiveWorkers(), reporter)
    records, _ = directory.read_records(store.path)
    tests = _judged(records, [cell for _, cell in slept])
    if launches:
        tests.append(_aa(records, [cell for _, cell in pair]))
    failed = any(isinstance(record, FailureRecord) for record in records)
    return Examined(
        tests=tests,
        frameworks=[_framework(each, records) for each in installations if each.name in AA_FIRST],
        logs=store.path / "logs" if failed else None,
    )


def _judged(records: Sequence[AnyRecord], slept: list[Cell]) -> list[Answer]:
    """The self-tests, from the summary that a run would have."""
    manifest = Manifest(
        id="doctor",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tribench="",
        command="tribench doctor",
        label=None,
        profile="doctor",
        launches=LAUNCHES,
        seeds=[0],
        delta=DELTA,
        tasks=dict(selftests.manifest_tasks()),
        cells=slept,
        complete=True,
    )
    cells = summarise(manifest, records, []).cells
    failures = [r for r in records if isinstance(r, FailureRecord)]
    of_time = [r for r in failures if r.cell in slept]
    of_memory = [r for r in failures if r.stage == "memory"]
    peaks = [record for record in records if isinstance(record, MemoryRecord)]
    return [
        *(
            selftests.step(summary, _account(records, cell), of_time)
            for summary, cell in zip(cells, slept, strict=True)
        ),
        *(selftests.rate(cell, of_time) for cell in cells),
        selftests.operations(),
        selftests.memory(peaks, of_memory),
    ]


def _with_account(group: JobGroup, configuration: Configuration, launch: int) -> JobGroup:
    """The launch, and then what its program says that it took."""

    def run(pool: WorkerPool, sink: Sink) -> None:
        program = pool.client(configuration).programs.get(selftests.MODEL.name)
        if program is not None:  # else a record says what went wrong, and the test fails
            with suppress(*FAILURES):
                facts = program.facts()
                sink.emit(PhaseRecord, phase="build", seconds=0.0, launch=launch, facts=facts)

    job = Job(id=f"{ACCOUNT}/{launch}", label="what the steps took", cost_seconds=0.1, run=run)
    return replace(group, jobs=(*group.jobs, job))


def _account(records: Sequence[AnyRecord], cell: Cell) -> list[list[float]]:
    """Seconds of a step by launch and block, of the blocks that were counted: the last ones."""
    found = []
    for record in records:
        if isinstance(record, PhaseRecord) and cell.phase in record.facts:
            rounds = Times(records).of(cell).get(record.launch or 0, {})
            blocks = json.loads(record.facts[cell.phase])[-len(rounds) :] if rounds else []
            found.append([seconds / steps for steps, seconds in blocks])
    return found


def _aa(records: Sequence[AnyRecord], pair: list[Cell]) -> Answer:
    if not pair:
        return Answer(
            name="A/A",
            verdict="warning",
            finding="No framework is available here to be compared with itself.",
            remedy="Install one: python3 -m nox -s bench does, or give --python NAME=PATH.",
        )
    base, twin = pair
    failures = [r for r in records if isinstance(r, FailureRecord) and r.cell in pair]
    return aa.answer(base.backend, base.task, Times(records).paired(base, twin), failures)


def _framework(installation: Installation, records: Sequence[AnyRecord]) -> Answer:
    """Is it there, and has it the threads that it was told?"""
    backend, name = installation.name, f"framework {installation.name}"
    if installation.why is not None:
        remedy = f"python3 -m nox -s {backend} installs it, --python {backend}=PATH names it."
        finding = f"Not available: {installation.why}."
        return Answer(name=name, verdict="warning", finding=finding, remedy=remedy)
    version = installation.adapter.versions.get(
        installation.adapter.framework, "of unknown version"
    )
    for record in records:
        if record.unit != _asking(backend):
            continue
        if isinstance(record, FailureRecord):
            finding = f"{version}, but its worker failed: {record.reason}."
            return Answer(
                name=name, verdict="warning", finding=finding, remedy="See what it printed."
            )
        if isinstance(record, PhaseRecord) and record.facts:
            told, wanted = record.facts.get("threads"), threads()
            counted = re.search(r"\d+", told or "")
            good = counted is None or int(counted[0]) == wanted
            return Answer(
                name=name,
                verdict="pass" if good else "warning",
                finding=f"{version}, told to use {wanted} threads, says {told or 'nothing'}.",
                remedy=None if good else "Its numbers are not comparable: look at its facts.",
            )
    return Answer(name=name, verdict="warning", finding=f"{version}, was not asked.")


def _asked(configuration: Configuration, task_inputs: TaskInputs) -> JobGroup:
    """Build a program and have it tell its facts."""
    name = configuration.backend

    def run(pool: WorkerPool, sink: Sink) -> None:
        with sink.failures("facts", pool, configuration):
            program = pool.program(configuration, task_inputs, task_inputs.initial)
            built = program.built
            sink.emit(
                PhaseRecord, phase="build", seconds=built.seconds, backend=name, facts=built.facts
            )

    job = Job(id=_asking(name), label=f"threads of {name}", cost_seconds=5.0, run=run)
    return JobGroup(suffix="facts", jobs=(job,))


def _asking(name: str) -> str:
    return f"facts/{name}"


def _configuration(installation: Installation, device: str = "cpu") -> Configuration:
    execution = installation.adapter.executions[0]
    return Configuration(
        installation=installation, execution=execution, precision="float32", device=device
    )


def _pair(configuration: Configuration, task: Task) -> list[tuple[Configuration, Cell]]:
    """A configuration and its twin."""
    twin = replace(
        configuration,
        installation=replace(configuration.installation, name=f"{configuration.backend}{TWIN}"),
        twin=True,
    )
    return [(each, _cell(each, task, "train")) for each in (configuration, twin)]


def _known(kind: str) -> Configuration:
    """A configuration of a known program, in this interpreter; its adapter goes by its target."""
    target = f"suite.doctor.known:{kind}"
    adapter = Adapter(
        name=target,
        target=target,
        framework="numpy",
        precisions=("float32",),
        executions=("eager",),
        versions={"python": platform.python_version(), "numpy": np.__version__},
    )
    return _configuration(
        Installation(name=kind.lower(), interpreter=sys.executable, adapter=adapter)
    )


def _cell(configuration: Configuration, task: Task, phase: Phase) -> Cell:
    return Cell(
        task=task.name,
        phase=phase,
        backend=configuration.backend,
        execution=configuration.execution,
        precision=configuration.precision,
        device=configuration.device,
        batch_size=task.timed_batch_size,
    )
