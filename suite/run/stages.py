"""Does what a plan says: stages one after the other, each job's records kept as they come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from suite.accuracy import baselines, checkpoint, exchange, training
from suite.analysis.comparisons import comparisons
from suite.analysis.times import Times
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink, Stage
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.scheduler import Deadline, perform
from suite.files import scratch
from suite.measure import ceilings, memory, timing
from suite.parity import gate, sizes
from suite.parity.gate import parity_configurations
from suite.parity.reference import Reference, opened
from suite.plan import estimate
from suite.plan.configurations import Configuration, reference_configuration
from suite.plan.plan import Plan
from suite.records.schema import Cell, FailureRecord
from suite.store.directory import RunDirectory, read_records
from suite.worker.process import WorkerSettings

HALF_WIDTH = 0.02  # of a ratio's 95 % interval: once all are that narrow, no more launches


def run(plan: Plan, store: RunDirectory, reporter: Reporter) -> int:
    """Do every job that the run directory does not have yet; how many the time budget left out.
    KeyboardInterrupt ends all workers; what was finished before is kept.
    """
    budget = plan.budget_seconds
    deadline = Deadline(None if budget is None else time.monotonic() + budget)
    settings = WorkerSettings(limits=plan.choice.limits, environment=plan.choice.environment)
    where, live = reference_configuration(plan.installations), LiveWorkers()
    logs = store.path / "logs"
    with scratch() as files, opened(where, live, logs, files, settings, plan.tasks) as references:
        perform(stages(plan, references, files, store, settings), store, live, reporter, deadline)
    return deadline.left_out


def stages(
    plan: Plan,
    references: Sequence[Reference],
    files: Path,
    store: RunDirectory,
    settings: WorkerSettings,
) -> list[Stage]:
    """Parity first: what is not the same function is not ranked."""
    where = plan.cells
    able = {cell: each for cell, each in where.items() if each.refused is None}
    groups = [[(able[cell], cell) for cell in group] for group in comparisons(able)]
    own = [(each, cell) for cell, each in able.items() if not each.twin]
    first = {task.name: TaskInputs(task, plan.choice.seed, files) for task in plan.tasks}
    trained = [
        [TaskInputs(task, seed, files) for seed in plan.seeds[task.name]]
        for task in plan.tasks
        if plan.seeds[task.name]
    ]
    checkpoints = store.path / checkpoint.FOLDER
    compiled = files / "compiled"  # empty, so that the first launch finds nothing
    on_gpu = any(each.device == "cuda" for each, _ in own)
    records = read_records(store.path)[0]
    state = timing.State(
        failed={
            record.cell
            for record in records
            if isinstance(record, FailureRecord) and record.cell is not None
            if record.stage == "timing" and record.status != "implausible"
        },
        times=Times(records),
        look=partial(sizes.look, references[0], files),
    )
    training_in = plan.training_configurations()

    def launches(numbers: Iterable[int], half_width: float | None = None) -> tuple[JobGroup, ...]:
        given = (groups, first, state, half_width, plan.rounds)
        return tuple(timing.launch(number, *given) for number in numbers)

    begun, *later = launches(range(plan.launches))
    of_device = ceilings.jobs(training_in, files, state.trusts)
    timed = replace(settings, preallocated=True, compiled=compiled)
    shared = replace(settings, share=estimate.AT_ONCE)
    return [
        Stage(name="plan", groups=_refusals(where)),
        Stage(
            name="parity",
            at_once=estimate.parity_at_once(plan.tasks),
            settings=replace(settings, share=estimate.parity_share(plan.tasks), cached=True),
            groups=gate.groups(
                parity_configurations(plan.configurations), [*first.values()], references, files
            ),
        ),
        Stage(
            name="timing",
            settings=timed,
            groups=(replace(begun, jobs=begun.jobs + of_device), *later),
        ),
        Stage(
            name="memory",
            at_once=1 if on_gpu else estimate.AT_ONCE,
            settings=replace(settings, compiled=compiled) if on_gpu else settings,
            groups=memory.groups(own, first, state.failed),
        ),
        Stage(
            name="accuracy",
            at_once=estimate.AT_ONCE,
            settings=shared,
            groups=(
                *training.groups(training_in, trained, checkpoints, plan.profile.one_ulp),
                *baselines.groups([seeded[0] for seeded in trained]),
            ),
        ),
        Stage(
            name="exchange",
            at_once=estimate.AT_ONCE,
            settings=replace(shared, cached=True),
            groups=exchange.groups(
                training_in,
                references[0].configuration,
                [seeded[0] for seeded in trained if plan.profile.one_ulp],
                checkpoints,
            ),
        ),
        Stage(
            name="more timing",  # last: only with time that nothing else needs
            settings=timed,
            groups=launches(range(plan.launches, plan.most_launches), HALF_WIDTH),
        ),
    ]


def _refusals(where: Mapping[Cell, Configuration]) -> tuple[JobGroup, ...]:
    """A job that records the cells which cannot be run at all."""

    def run(pool: WorkerPool, sink: Sink) -> None:
        for cell, configuration in where.items():
            if configuration.refused is not None:
                sink.fail("plan", cell, *configuration.refused)

    job = Job(id="plan", label="planning", cost_seconds=0.1, run=run)
    return (JobGroup(suffix="plan", jobs=(job,)),)
