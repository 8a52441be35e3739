"""What the doctor measures, by the tracks and units that a run consists of."""

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

from suite import catalogue, runner
from suite.crew import Crew, Roster
from suite.doctor import aa, selftests
from suite.doctor.answer import Answer
from suite.material import Material
from suite.measure import memory_pass, timing
from suite.measure.times import Times
from suite.measure.verdict import DELTA
from suite.plan import Lane
from suite.progress import Reporter
from suite.store import directory
from suite.store.schema import (
    TWIN,
    AnyRecord,
    Cell,
    FailureRecord,
    Manifest,
    MemoryRecord,
    Phase,
    PhaseRecord,
)
from suite.subject import bare
from suite.summary import summarise
from suite.work import FAILURES, Sink, Stage, Track, Unit, status_of
from suite.worker.adapters import Adapter
from suite.worker.discovery import Arm
from suite.worker.environment import threads
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
    arms: Sequence[Arm], launches: int, files: Path, reporter: Reporter, device: str = "cpu"
) -> Examined:
    """Measure the known programs, on the CPU, and with ``launches`` A/A on the device; files go to
    ``files``. KeyboardInterrupt ends all workers.
    """
    present = [arm for name in AA_FIRST for arm in arms if arm.name == name and not arm.why]
    able = [_lane(arm, device) for arm in present]
    known = replace(bare(selftests.MODEL, SGD(learning_rate=0.1), selftests.BATCH), data=NoData())
    sleeper, allocator = _known("Sleeper"), _known("Allocator")
    phases: tuple[Phase, ...] = ("train", "infer")
    slept = [(sleeper, _cell(sleeper, known, phase)) for phase in phases]
    allocated = [(allocator, _cell(allocator, known, "infer"))]
    aa_task = catalogue.tasks()[AA_TASK]
    materials = {task.name: Material(task, 0, files) for task in (known, aa_task)}
    pair = _pair(able[0], aa_task) if able and launches else []
    state = timing.State()

    def track(number: int, groups: list[list[tuple[Lane, Cell]]]) -> Track:
        return timing.track(number, groups, materials, state)

    stages = [
        Stage(
            name="known times",
            at_once=1,
            tracks=tuple(
                _with_account(track(n, [[each] for each in slept]), sleeper, n)
                for n in range(LAUNCHES)
            ),
        ),
        Stage(
            name="known memory",
            at_once=1,
            tracks=memory_pass.tracks(allocated, materials, state.failed),
        ),
        Stage(
            name="frameworks",
            at_once=1,
            tracks=tuple(_asked(lane, materials[AA_TASK]) for lane in able),
        ),
        Stage(
            name="A/A",
            at_once=1,
            preallocated=True,
            tracks=tuple(track(n, [pair]) for n in range(launches if pair else 0)),
        ),
    ]
    with directory.create(files, directory.new_id()) as store:
        runner.perform(stages, store, Roster(), reporter)
    records, _ = directory.read_records(store.path)
    tests = _judged(records, [cell for _, cell in slept])
    if launches:
        tests.append(_aa(records, [cell for _, cell in pair]))
    failed = any(isinstance(record, FailureRecord) for record in records)
    return Examined(
        tests=tests,
        frameworks=[_framework(arm, records) for arm in arms if arm.name in AA_FIRST],
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


def _with_account(track: Track, lane: Lane, launch: int) -> Track:
    """The launch, and then what its program says that it took."""

    def do(crew: Crew, sink: Sink) -> None:
        try:
            told = crew.member(lane).worker.call("facts", task=selftests.MODEL.name)
            sink.emit(PhaseRecord, phase="build", seconds=0.0, launch=launch, facts=told)
        except FAILURES:
            pass  # what went wrong before stands in a record; without an account the test fails

    name = f"{ACCOUNT}/{launch}"
    unit = Unit(name=name, what="what the steps took", cost_seconds=0.1, do=do)
    return replace(track, units=(*track.units, unit))


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


def _framework(arm: Arm, records: Sequence[AnyRecord]) -> Answer:
    """Is it there, and has it the threads that it was told?"""
    name = f"framework {arm.name}"
    if arm.why is not None:
        remedy = f"python3 -m nox -s {arm.name} installs it, --python {arm.name}=PATH names it."
        finding = f"Not available: {arm.why}."
        return Answer(name=name, verdict="warning", finding=finding, remedy=remedy)
    version = arm.adapter.versions.get(arm.adapter.framework, "of unknown version")
    for record in records:
        if record.unit != _asking(arm.name):
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


def _asked(lane: Lane, material: Material) -> Track:
    """Build a program and have it tell its facts."""

    def do(crew: Crew, sink: Sink) -> None:
        try:
            built = crew.build(lane, material, material.initial)
            sink.emit(
                PhaseRecord,
                phase="build",
                seconds=built["seconds"],
                backend=lane.arm.name,
                facts=built["facts"],
            )
        except FAILURES as error:
            crew.lose(lane)
            sink.emit(
                FailureRecord,
                stage="facts",
                status=status_of(error),
                reason=str(error),
                backend=lane.arm.name,
            )

    name = lane.arm.name
    unit = Unit(name=_asking(name), what=f"threads of {name}", cost_seconds=5.0, do=do)
    return Track(suffix="facts", units=(unit,))


def _asking(name: str) -> str:
    return f"facts/{name}"


def _lane(arm: Arm, device: str = "cpu") -> Lane:
    execution = arm.adapter.executions[0]
    return Lane(arm=arm, execution=execution, precision="float32", device=device)


def _pair(lane: Lane, task: Task) -> list[tuple[Lane, Cell]]:
    """A lane and its twin."""
    twin = replace(lane, arm=replace(lane.arm, name=f"{lane.arm.name}{TWIN}"), twin=True)
    return [(each, _cell(each, task, "train")) for each in (lane, twin)]


def _known(kind: str) -> Lane:
    """A lane of a known program, in this interpreter; its adapter goes by its target."""
    target = f"suite.doctor.known:{kind}"
    adapter = Adapter(
        name=target,
        target=target,
        framework="numpy",
        precisions=("float32",),
        executions=("eager",),
        versions={"python": platform.python_version(), "numpy": np.__version__},
    )
    return _lane(Arm(name=kind.lower(), interpreter=sys.executable, adapter=adapter))


def _cell(lane: Lane, task: Task, phase: Phase) -> Cell:
    return Cell(
        task=task.name,
        phase=phase,
        backend=lane.arm.name,
        execution=lane.execution,
        precision=lane.precision,
        device=lane.device,
        batch_size=task.timed_batch_size,
    )
