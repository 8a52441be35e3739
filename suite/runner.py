"""Does what a plan says: stages one after the other, each unit's records kept as they come."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex

from suite import cost
from suite.accuracy import checkpoint, exchange, lines, training
from suite.crew import Crew, Roster
from suite.material import Material
from suite.measure import ceiling, memory_pass, timing
from suite.measure.times import Times
from suite.parity import gate, sizes
from suite.parity.gate import parity_lanes
from suite.parity.reference import Reference, opened
from suite.plan import Lane, Plan, comparisons
from suite.progress import Reporter
from suite.store.directory import RunDirectory, read_records
from suite.store.schema import Cell, FailureRecord, PhaseRecord, Record
from suite.store.writing import scratch
from suite.work import Sink, Stage, Track, Unit
from suite.worker.adapters import REFERENCE
from suite.worker.discovery import Arm

HALF_WIDTH = 0.02  # of a ratio's 95 % interval: once all are that narrow, no more launches


class Stopped(Exception):
    """The run was interrupted while this unit was at work."""


@dataclass
class Deadline:
    """When no more work is begun, and how many units were left out because of it."""

    end: float | None  # of time.monotonic()
    left_out: int = 0

    def allows(self, unit: Unit) -> bool:
        """Is there time for this unit?"""
        if self.end is None or time.monotonic() + unit.cost_seconds <= self.end:
            return True
        self.left_out += unit.wanted is None
        return False


def run(plan: Plan, arms: Sequence[Arm], store: RunDirectory, reporter: Reporter) -> int:
    """Do every unit that the run directory does not have yet; how many the time budget left out.
    KeyboardInterrupt ends all workers; what was finished before is kept.
    """
    budget = plan.budget_seconds
    deadline = Deadline(None if budget is None else time.monotonic() + budget)
    roster = Roster(plan.limits, environment=plan.environment)
    logs, lane = store.path / "logs", reference_lane(arms)
    with scratch() as files, opened(lane, roster, logs, files) as references:
        perform(stages(plan, references, files, store), store, roster, reporter, deadline)
    return deadline.left_out


def stages(
    plan: Plan, references: Sequence[Reference], files: Path, store: RunDirectory
) -> list[Stage]:
    """Parity first: what is not the same function is not ranked."""
    able = [lane for lane in plan.lanes if lane.refused is None]
    first = {task.name: Material(task, plan.seed, files) for task in plan.tasks}
    lane_of = {cell: lane for lane in able for cell in plan.cells(lane)}
    groups = [[(lane_of[c], c) for c in g] for g in comparisons(lane_of)]
    own = [(lane, cell) for cell, lane in lane_of.items() if not lane.twin]
    trained = [
        [Material(task, seed, files) for seed in plan.seeds[task.name]]
        for task in plan.tasks
        if plan.seeds[task.name]
    ]
    checkpoints = store.path / checkpoint.FOLDER
    compiled = files / "compiled"  # empty, so that the first launch finds nothing
    on_gpu = any(lane.device == "cuda" for lane, _ in own)
    times = Times(read_records(store.path)[0])
    look = partial(sizes.look, references[0], files)
    state = timing.State(_failed_before(store), times, look=look)

    def launches(numbers: Iterable[int], half_width: float | None = None) -> tuple[Track, ...]:
        share = plan.rounds
        return tuple(timing.track(n, groups, first, state, half_width, share) for n in numbers)

    begun, *later = launches(range(plan.launches))
    ceilings = ceiling.units(plan.training_lanes(), files, state.trusts)
    return [
        Stage(name="plan", at_once=1, tracks=_refusals(plan)),
        Stage(
            name="parity",
            at_once=cost.parity_share() + 1,
            share=cost.parity_share(),
            cached=True,  # no compile time is taken here
            tracks=gate.tracks(parity_lanes(plan.lanes), [*first.values()], references, files),
        ),
        Stage(
            name="timing",
            at_once=1,
            preallocated=True,
            compiled=compiled,
            tracks=(replace(begun, units=begun.units + ceilings), *later),
        ),
        Stage(
            name="memory",
            at_once=1 if on_gpu else cost.AT_ONCE,
            compiled=compiled if on_gpu else None,
            tracks=memory_pass.tracks(own, first, state.failed),
        ),
        Stage(
            name="accuracy",
            at_once=cost.AT_ONCE,
            share=cost.AT_ONCE,
            tracks=(
                *training.tracks(plan.training_lanes(), trained, checkpoints, plan.closely),
                *lines.tracks([seeded[0] for seeded in trained]),
            ),
        ),
        Stage(
            name="exchange",
            at_once=cost.AT_ONCE,
            share=cost.AT_ONCE,
            cached=True,
            tracks=exchange.tracks(
                plan.training_lanes(),
                references[0].lane,
                [seeded[0] for seeded in trained if plan.closely],
                checkpoints,
            ),
        ),
        Stage(
            name="more timing",  # last: only with time that nothing else needs
            at_once=1,
            preallocated=True,
            compiled=compiled,
            tracks=launches(range(plan.launches, plan.most_launches), HALF_WIDTH),
        ),
    ]


def perform(
    stages: Sequence[Stage],
    store: RunDirectory,
    roster: Roster,
    reporter: Reporter,
    deadline: Deadline | None = None,
) -> None:
    """Do the units of these stages that are not done."""
    deadline = deadline or Deadline(None)
    records, _ = read_records(store.path)
    done = {record.unit for record in records}
    left = [
        (stage, [replace(t, units=_left(t, done)) for t in stage.tracks if _left(t, done)])
        for stage in stages
    ]
    for stage, tracks in left:
        certain = [u.cost_seconds for t in tracks for u in t.units if u.wanted is None]
        reporter.expect(sum(certain) / stage.at_once)
    for stage, tracks in left:
        _stage(stage, tracks, store, roster, reporter, deadline)


def reference_lane(arms: Sequence[Arm]) -> Lane:
    """Where the reference runs."""
    arm = next(arm for arm in arms if arm.name == REFERENCE)
    return Lane(arm=arm, execution="eager", precision="float64", device="cpu")


def _stage(
    stage: Stage,
    tracks: Sequence[Track],
    store: RunDirectory,
    roster: Roster,
    reporter: Reporter,
    deadline: Deadline,
) -> None:
    with ThreadPoolExecutor(stage.at_once, thread_name_prefix=stage.name) as pool:
        futures = [
            pool.submit(_track, track, stage, store, roster, reporter, deadline) for track in tracks
        ]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future.done():
                    future.result()
        except BaseException:
            roster.end()
            for future in futures:
                future.cancel()
            raise


def _track(
    track: Track,
    stage: Stage,
    store: RunDirectory,
    roster: Roster,
    reporter: Reporter,
    deadline: Deadline,
) -> None:
    logs = store.path / "logs"
    conditions = (stage.share, stage.cached, stage.preallocated, stage.compiled)
    with Crew(roster, logs, track.suffix, *conditions) as crew:
        for unit in track.units:
            if unit.wanted is not None and not unit.wanted():
                continue
            if not deadline.allows(unit):
                continue
            if unit.wanted is not None:
                reporter.expect(unit.cost_seconds / stage.at_once)
            reporter.start(unit.what)
            _do(unit, crew, store, roster)
            reporter.finish(unit.what, unit.cost_seconds / stage.at_once)


def _do(unit: Unit, crew: Crew, store: RunDirectory, roster: Roster) -> None:
    def write(record: Record) -> None:
        # A worker that was ended because the run stops has not failed.
        if roster.stopping.is_set():
            raise Stopped
        store.append(record)

    sink = Sink(unit.name, token_hex(4), write)
    began = time.monotonic()
    unit.do(crew, sink)
    seconds = time.monotonic() - began
    write(PhaseRecord(unit=sink.unit, attempt=sink.attempt, phase="unit", seconds=seconds))


def _left(track: Track, done: set[str]) -> tuple[Unit, ...]:
    return tuple(unit for unit in track.units if unit.name not in done)


def _refusals(plan: Plan) -> tuple[Track, ...]:
    """A unit that records the cells which cannot be run at all."""

    def do(crew: Crew, sink: Sink) -> None:
        for lane in plan.lanes:
            if lane.refused is not None:
                status, reason = lane.refused
                for cell in plan.cells(lane):
                    sink.emit(
                        FailureRecord,
                        stage="plan",
                        status=status,
                        reason=reason,
                        cell=cell,
                    )

    unit = Unit(name="plan", what="planning", cost_seconds=0.1, do=do)
    return (Track(suffix="plan", units=(unit,)),)


def _failed_before(store: RunDirectory) -> set[Cell]:
    records, _ = read_records(store.path)
    failures = [r for r in records if isinstance(r, FailureRecord) and r.stage == "timing"]
    return {r.cell for r in failures if r.cell is not None and r.status != "implausible"}
