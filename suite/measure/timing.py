"""One launch of one comparison: build, compile, warm up, then blocks of all arms in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from suite import cost
from suite.crew import Crew
from suite.material import Material
from suite.measure.schedule import orders
from suite.measure.times import Times
from suite.measure.void import Stopwatch
from suite.plan import Lane
from suite.store.schema import BlockRecord, Cell, FailureRecord, PhaseRecord
from suite.work import FAILURES, Sink, Track, Unit, Unusable, status_of

LEAST_ROUNDS = 6  # per launch; all permutations of three arms
FASTEST_BLOCK_SECONDS = 0.1  # a block of the fastest arm takes at least this
SLOWEST_BLOCK_SECONDS = 2.0  # and of the slowest at most this, if a step allows
WARMUP_STEPS = 3
WARMUP_WINDOW_SECONDS = 0.1
STEADY_WITHIN = 0.1  # two windows in a row differ by less
MOST_WINDOWS = 12
MOST_LATENCIES = 100  # of one launch
LATENCIES_SECONDS = 0.2
WINDOW_TRIES = 3  # before the clock is given up


@dataclass
class Entry:
    """A cell that takes part, and what it was seen to need."""

    lane: Lane
    cell: Cell
    step_seconds: float = 0.0
    alive: bool = True
    void: list[str | None] = field(default_factory=list)  # of each block


@dataclass
class State:
    """What is known of a run while it goes on: cells that an earlier launch could not measure,
    which are not tried again, and the times so far.
    """

    failed: set[Cell] = field(default_factory=set)
    times: Times = field(default_factory=Times)


def track(
    launch: int,
    comparisons: Sequence[Sequence[tuple[Lane, Cell]]],
    materials: dict[str, Material],
    state: State,
    half_width: float | None = None,
) -> Track:
    """Launch number ``launch`` of every comparison, in workers of its own; with ``half_width`` only
    of those whose intervals are still wider.
    """
    return Track(
        suffix=str(launch),
        units=tuple(
            _unit(launch, c, materials[c[0][1].task], state, half_width) for c in comparisons
        ),
    )


def _unit(
    launch: int,
    comparison: Sequence[tuple[Lane, Cell]],
    material: Material,
    state: State,
    half_width: float | None,
) -> Unit:
    first = comparison[0][1]
    name = "/".join(map(str, ("timing", launch, *first.comparison)))
    what = f"timing, launch {launch + 1}: {first.task} {first.phase}, batch {first.batch_size}"

    def able() -> list[tuple[Lane, Cell]]:
        return [(lane, cell) for lane, cell in comparison if cell not in state.failed]

    def wanted() -> bool:
        return state.times.half_width([cell for _, cell in able()]) > (half_width or 0)

    def do(crew: Crew, sink: Sink) -> None:
        Turn(launch, material, state, crew, sink).run(able(), material.seed + launch)

    guess = cost.timing(material.task, first.phase, first.batch_size, len(comparison))
    return Unit(
        name=name,
        what=what,
        cost_seconds=guess,
        do=do,
        wanted=None if half_width is None else wanted,
    )


@dataclass(frozen=True)
class Turn:
    """One unit of timing while it runs."""

    launch: int
    material: Material
    state: State
    crew: Crew
    sink: Sink

    def run(self, comparison: Sequence[tuple[Lane, Cell]], seed: int) -> None:
        """Measure what can be; each cell that cannot leaves a failure record."""
        entries = [Entry(lane, cell) for lane, cell in comparison]
        self._start(entries)
        for entry in entries:
            if entry.alive:
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
        for entry in ready:
            for do in (self._wait_for_each, self._feed, _judge):
                if entry.alive:
                    self._attempt(entry, partial(do, entry))

    def _start(self, entries: Sequence[Entry]) -> None:
        """Start the workers that are not there yet: one by one in the first launch, which times the
        imports, later side by side.
        """
        with ThreadPoolExecutor(cost.AT_ONCE if self.launch else 1) as pool:
            started = [pool.submit(self._attempt, e, partial(self._import, e)) for e in entries]
        for each in started:
            each.result()

    def _import(self, entry: Entry) -> None:
        fresh = entry.lane not in self.crew.members
        member = self.crew.member(entry.lane)
        if fresh and self.launch == 0:
            self._phase("import", member.import_seconds, backend=entry.cell.backend)

    def _attempt(self, entry: Entry, do: Callable[[], None]) -> None:
        """Do one thing with one cell; a failure costs this cell and nothing else."""
        try:
            do()
        except FAILURES as error:
            entry.alive = False
            self.state.failed.add(entry.cell)
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
        member = self.crew.member(lane)
        if cell.task not in member.built:
            built = self.crew.build(lane, material, material.initial)
            self._phase("build", built["seconds"], cell=cell, facts=built["facts"])
        member.worker.call("place", task=cell.task, size=cell.batch_size)
        _, first = self._steps(entry, 1)
        if not first.jumped:
            self._phase("compile", first.seconds, cell=cell)
        self._warm_up(entry)

    def _warm_up(self, entry: Entry) -> None:
        """Windows of steps until two in a row take the same time, within limits."""
        once = self._window(entry, WARMUP_STEPS)
        steps = max(1, ceil(WARMUP_WINDOW_SECONDS / once))
        samples = [once, self._window(entry, steps)]
        steady = False
        while not steady and len(samples) < MOST_WINDOWS:
            samples.append(self._window(entry, steps))
            steady = abs(samples[-1] / samples[-2] - 1) < STEADY_WITHIN
        entry.step_seconds = samples[-1]
        self._phase("warmup", sum(samples), cell=entry.cell, samples=samples, steady=steady)

    def _block(self, entry: Entry, number: int, position: int, steps: int) -> None:
        noise, seen = self._steps(entry, steps)
        record = self.sink.emit(
            BlockRecord,
            cell=entry.cell,
            launch=self.launch,
            round=number,
            position=position,
            steps=steps,
            seconds=seen.seconds,
            noise=noise,
            void=seen.void,
        )
        self.state.times.add(record)
        entry.void.append(seen.void)

    def _wait_for_each(self, entry: Entry) -> None:
        """Latencies of inference, in a pass of their own: a wait per step would cost the blocks."""
        if entry.cell.phase != "infer":
            return
        found = self.crew.member(entry.lane).worker.call(
            "latencies",
            task=entry.cell.task,
            most=MOST_LATENCIES,
            within_seconds=LATENCIES_SECONDS,
        )
        self._phase("latency", sum(found), cell=entry.cell, samples=found)

    def _feed(self, entry: Entry) -> None:
        """A block's steps with the way to the device, which the blocks leave out."""
        cell, steps = entry.cell, block_steps([entry.step_seconds])
        seconds = self.crew.member(entry.lane).worker.call(
            "fed", task=cell.task, phase=cell.phase, size=cell.batch_size, steps=steps
        )
        self._phase("fed", seconds, cell=cell, samples=[seconds / steps])

    def _window(self, entry: Entry, steps: int) -> float:
        """Seconds that a step takes now; seen again where the clock jumped."""
        for _ in range(WINDOW_TRIES):
            _, seen = self._steps(entry, steps)
            if not seen.jumped:
                return seen.seconds / steps
        raise Unusable(f"the clock jumped in the warm-up, {WINDOW_TRIES} times in a row")

    def _steps(self, entry: Entry, steps: int) -> tuple[dict[str, float | None], Stopwatch]:
        """What else the machine did, and what the stopwatch says."""
        worker = self.crew.member(entry.lane).worker
        answer = worker.call("block", task=entry.cell.task, phase=entry.cell.phase, steps=steps)
        return answer.pop("noise"), Stopwatch(**answer)

    def _phase(self, phase: str, seconds: float, **more: object) -> None:
        self.sink.emit(PhaseRecord, phase=phase, seconds=seconds, launch=self.launch, **more)


def _judge(entry: Entry) -> None:
    """Unusable if none of the cell's blocks counts."""
    if all(entry.void):
        why, blocks = " or ".join(sorted({str(each) for each in entry.void})), len(entry.void)
        raise Unusable(f"{why} in every block: {blocks} of {blocks}")


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
