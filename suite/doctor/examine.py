"""What the doctor measures, by the jobs that a run consists of."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from suite.analysis.summary import summarise
from suite.analysis.times import Times
from suite.analysis.verdict import DELTA
from suite.doctor import aa, selftests
from suite.doctor.answer import Answer, judged
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink, Stage
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.remote import RemoteBackend
from suite.engine.scheduler import perform
from suite.measure import memory, timing
from suite.plan import catalogue
from suite.plan.configurations import Configuration
from suite.plan.options import PHASES
from suite.records.schema import (
    AnyRecord,
    Cell,
    FailureRecord,
    Manifest,
    MemoryRecord,
    PhaseRecord,
)
from suite.store import directory
from suite.worker.adapters import Adapter
from suite.worker.environment import threads
from suite.worker.frameworks import KNOWN, REFERENCE
from suite.worker.installations import Installation
from suite.worker.process import WorkerSettings
from tasks.base import Batch, Splits
from tasks.codec import bare
from tasks.parameters import uniform
from tasks.spec import SGD

LAUNCHES = 3  # of the known programs
AA_TASK = "cnn-tiny"
SAMPLES = 16


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
    device: str,
) -> Examined:
    """Measure the known programs, on the CPU, and with ``launches`` A/A on the device; files go to
    ``files``. KeyboardInterrupt ends all workers.
    """
    names = [name for name in KNOWN if name != REFERENCE]
    able = [
        _configuration(installation, device)
        for name in names
        for installation in installations
        if installation.name == name and not installation.why
    ]
    known = replace(bare(selftests.MODEL, SGD(learning_rate=0.1), selftests.BATCH), data=NoData())
    sleeper, allocator = _known("Sleeper"), _known("Allocator")
    slept = [(sleeper, sleeper.cell(known.name, phase, selftests.BATCH)) for phase in PHASES]
    allocated = [(allocator, allocator.cell(known.name, "infer", selftests.BATCH))]
    aa_task = catalogue.tasks()[AA_TASK]
    inputs_of = {task.name: TaskInputs(task, 0, files) for task in (known, aa_task)}
    twins = (able[0], able[0].doubled()) if able and launches else ()
    pair = [(each, each.cell(AA_TASK, "train", aa_task.timed_batch_size)) for each in twins]
    state = timing.State()

    def launch(number: int, groups: list[list[tuple[Configuration, Cell]]]) -> JobGroup:
        return timing.launch(number, groups, inputs_of, state)

    def known_launch(number: int) -> JobGroup:
        group = launch(number, [[each] for each in slept])
        account = _told(
            sleeper, inputs_of[known.name], f"account/{number}", "what the steps took", number
        )
        return replace(group, jobs=(*group.jobs, account))

    def asked(configuration: Configuration) -> JobGroup:
        name = configuration.backend
        job = _told(configuration, inputs_of[AA_TASK], _unit(name), f"threads of {name}")
        return JobGroup(suffix="facts", jobs=(job,))

    stages = [
        Stage(name="known times", groups=tuple(map(known_launch, range(LAUNCHES)))),
        Stage(name="known memory", groups=memory.groups(allocated, inputs_of, state.failed)),
        Stage(name="frameworks", groups=tuple(map(asked, able))),
        Stage(
            name="A/A",
            settings=WorkerSettings(preallocated=True),
            groups=tuple(launch(n, [pair]) for n in range(launches if pair else 0)),
        ),
    ]
    with directory.create(files, directory.new_id()) as store:
        perform(stages, store, LiveWorkers(), reporter)
    records, _ = directory.read_records(store.path)
    failures = [record for record in records if isinstance(record, FailureRecord)]
    tests = _judged(records, failures, [cell for _, cell in slept])
    if launches:
        tests.append(_aa(records, failures, [cell for _, cell in pair]))
    return Examined(
        tests=tests,
        frameworks=[_framework(each, records) for each in installations if each.name in names],
        logs=store.path / "logs" if failures else None,
    )


def _judged(
    records: Sequence[AnyRecord], failures: Sequence[FailureRecord], slept: list[Cell]
) -> list[Answer]:
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
        tasks={selftests.MODEL.name: {"flops": selftests.MODEL.flops()}},
        cells=slept,
        complete=True,
    )
    cells = summarise(manifest, records, []).cells
    of_time = [failure for failure in failures if failure.cell in slept]
    of_memory = [failure for failure in failures if failure.stage == "memory"]
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


def _told(
    configuration: Configuration,
    task_inputs: TaskInputs,
    unit: str,
    label: str,
    launch: int | None = None,
) -> Job:
    """Have the task's program, which is built if it is not there, tell its facts."""

    def run(pool: WorkerPool, sink: Sink) -> None:
        with sink.failures("facts", pool, configuration):
            backend = RemoteBackend(pool, configuration, task_inputs.folder)
            facts = backend.started(task_inputs).facts()
            sink.emit(PhaseRecord, phase="build", seconds=0.0, launch=launch, facts=facts)

    return Job(id=unit, label=label, cost_seconds=1.0, run=run)


def _account(records: Sequence[AnyRecord], cell: Cell) -> list[list[float]]:
    """Seconds of a step by launch and block, of the blocks that were counted: the last ones."""
    found, times = [], Times(records).of(cell)
    for record in records:
        if isinstance(record, PhaseRecord) and cell.phase in record.facts:
            rounds = times.get(record.launch or 0, {})
            blocks = json.loads(record.facts[cell.phase])[-len(rounds) :] if rounds else []
            found.append([seconds / steps for steps, seconds in blocks])
    return found


def _aa(
    records: Sequence[AnyRecord], failures: Sequence[FailureRecord], pair: list[Cell]
) -> Answer:
    if not pair:
        return Answer(
            aa.NAME,
            "warning",
            "No framework is available here to be compared with itself.",
            "Install one: python3 -m nox -s bench does, or give --python NAME=PATH.",
        )
    base, twin = pair
    of_pair = [failure for failure in failures if failure.cell in pair]
    return aa.answer(base.backend, base.task, Times(records).paired(base, twin), of_pair)


def _framework(installation: Installation, records: Sequence[AnyRecord]) -> Answer:
    """Is it there, and has it the threads that it was told?"""
    backend, adapter = installation.name, installation.adapter
    name = f"framework {backend}"
    if adapter.why is not None:
        remedy = f"python3 -m nox -s {backend} installs it, --python {backend}=PATH names it."
        return Answer(name, "warning", f"Not available: {adapter.why}.", remedy)
    version = adapter.versions.get(adapter.framework, "of unknown version")
    for record in records:
        if record.unit != _unit(backend):
            continue
        if isinstance(record, FailureRecord):
            finding = f"{version}, but its worker failed: {record.reason}."
            return Answer(name, "warning", finding, "See what it printed.")
        if isinstance(record, PhaseRecord) and record.facts:
            told, wanted = record.facts.get("threads"), threads()
            counted = re.search(r"\d+", told or "")
            return judged(
                name,
                counted is None or int(counted[0]) == wanted,
                f"{version}, told to use {wanted} threads, says {told or 'nothing'}.",
                "Its numbers are not comparable: look at its facts.",
            )
    return Answer(name, "warning", f"{version}, was not asked.")


def _unit(backend: str) -> str:
    return f"facts/{backend}"


def _configuration(installation: Installation, device: str = "cpu") -> Configuration:
    execution = installation.adapter.executions[0]
    return Configuration(
        installation=installation, execution=execution, precision="float32", device=device
    )


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
