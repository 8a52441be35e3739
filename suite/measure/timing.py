"""One launch of one comparison: build, compile, warm up, then blocks of all arms in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from suite.crew import Crew
from suite.material import Material
from suite.measure.schedule import orders
from suite.plan import Lane
from suite.store.schema import BlockRecord, Cell, FailureRecord, PhaseRecord
from suite.work import FAILURES, Sink, Track, Unit, status_of

COST_SECONDS = 8.0
LEAST_ROUNDS = 6  # per launch; all permutations of three arms
FASTEST_BLOCK_SECONDS = 0.1  # a block of the fastest arm takes at least this
SLOWEST_BLOCK_SECONDS = 2.0  # and of the slowest at most this, if a step allows
WARMUP_STEPS = 3
WARMUP_WINDOW_SECONDS = 0.1
STEADY_WITHIN = 0.1  # two windows in a row differ by less
MOST_WINDOWS = 12


@dataclass
class Entry:
    """A cell that takes part, and what it was seen to need."""

    lane: Lane
    cell: Cell
    step_seconds: float = 0.0
    alive: bool = True


@dataclass
class Failed:
    """Cells that an earlier launch could not measure; they are not tried again."""

    cells: set[Cell] = field(default_factory=set)


def track(
    launch: int,
    comparisons: Sequence[Sequence[tuple[Lane, Cell]]],
    materials: dict[str, Material],
    failed: Failed,
    seed: int,
) -> Track:
    """Launch number ``launch`` of every comparison, in workers of its own."""
    return Track(
        suffix=str(launch),
        units=tuple(_unit(launch, c, materials[c[0][1].task], failed, seed) for c in comparisons),
    )


def _unit(
    launch: int,
    comparison: Sequence[tuple[Lane, Cell]],
    material: Material,
    failed: Failed,
    seed: int,
) -> Unit:
    first = comparison[0][1]
    name = "/".join(map(str, ("timing", launch, *first.comparison)))
    what = f"timing, launch {launch + 1}: {first.task} {first.phase}, batch {first.batch_size}"

    def do(crew: Crew, sink: Sink) -> None:
        chosen = [(lane, cell) for lane, cell in comparison if cell not in failed.cells]
        Turn(launch, material, failed, crew, sink).run(chosen, seed + launch)

    return Unit(name=name, what=what, cost_seconds=COST_SECONDS, do=do)


@dataclass(frozen=True)
class Turn:
    """One unit of timing while it runs."""

    launch: int
    material: Material
    failed: Failed
    crew: Crew
    sink: Sink

    def run(self, comparison: Sequence[tuple[Lane, Cell]], seed: int) -> None:
        """Measure what can be; each cell that cannot leaves a failure record."""
        entries = [Entry(lane, cell) for lane, cell in comparison]
        for entry in entries:
            self._attempt(entry, partial(self._prepare, entry))
        ready = [entry for entry in entries if entry.alive]
        if not ready:
            return
        steps = block_steps([entry.step_seconds for entry in ready])
        for number, order in enumerate(_rounds(len(ready), seed)):
            for position, index in enumerate(order):
                entry = ready[index]
                if entry.alive:
                    self._attempt(entry, partial(self._block, entry, number, position, steps))

    def _attempt(self, entry: Entry, do: Callable[[], None]) -> None:
        """Do one thing with one cell; a failure costs this cell and nothing else."""
        try:
            do()
        except FAILURES as error:
            entry.alive = False
            self.failed.cells.add(entry.cell)
            self.crew.lose(entry.lane)
            self.sink.emit(
                FailureRecord,
                stage="timing",
                cell=entry.cell,
                status=status_of(error),
                reason=str(error),
            )

    def _prepare(self, entry: Entry) -> None:
        lane, cell, material = entry.lane, entry.cell, self.material
        fresh = lane not in self.crew.members
        member = self.crew.member(lane)
        if fresh:
            self._phase("import", member.import_seconds, backend=cell.backend)
        if cell.task not in member.built:
            built = self.crew.build(lane, material, material.initial)
            self._phase("build", built["seconds"], cell=cell, facts=built["facts"])
        member.worker.call("place", task=cell.task, size=cell.batch_size)
        self._phase("compile", self._seconds(entry, 1), cell=cell)
        self._warm_up(entry)

    def _warm_up(self, entry: Entry) -> None:
        """Windows of steps until two in a row take the same time, within limits."""
        once = self._seconds(entry, WARMUP_STEPS) / WARMUP_STEPS
        steps = max(WARMUP_STEPS, ceil(WARMUP_WINDOW_SECONDS / once))
        samples = [once, self._seconds(entry, steps) / steps]
        steady = False
        while not steady and len(samples) < MOST_WINDOWS:
            samples.append(self._seconds(entry, steps) / steps)
            steady = abs(samples[-1] / samples[-2] - 1) < STEADY_WITHIN
        entry.step_seconds = samples[-1]
        self._phase("warmup", sum(samples), cell=entry.cell, samples=samples, steady=steady)

    def _block(self, entry: Entry, number: int, position: int, steps: int) -> None:
        answer = self.crew.member(entry.lane).worker.call(
            "block", task=entry.cell.task, phase=entry.cell.phase, steps=steps
        )
        self.sink.emit(
            BlockRecord,
            cell=entry.cell,
            launch=self.launch,
            round=number,
            position=position,
            steps=steps,
            seconds=answer["seconds"],
            noise=answer["noise"],
        )

    def _seconds(self, entry: Entry, steps: int) -> float:
        worker = self.crew.member(entry.lane).worker
        answer = worker.call("block", task=entry.cell.task, phase=entry.cell.phase, steps=steps)
        return float(answer["seconds"])

    def _phase(self, phase: str, seconds: float, **more: object) -> None:
        self.sink.emit(PhaseRecord, phase=phase, seconds=seconds, launch=self.launch, **more)


def block_steps(step_seconds: Sequence[float]) -> int:
    """How many steps every block has: enough for the fastest arm, not too many for the slowest."""
    enough = ceil(FASTEST_BLOCK_SECONDS / min(step_seconds))
    at_most = int(SLOWEST_BLOCK_SECONDS / max(step_seconds))
    return max(1, min(enough, at_most))


def _rounds(arms: int, seed: int) -> Iterator[list[int]]:
    """Whole balanced sets, until there are enough rounds."""
    done = 0
    while done < LEAST_ROUNDS:
        rows = orders(arms, seed + done)
        done += len(rows)
        yield from rows
