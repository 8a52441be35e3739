"""One launch of one comparison: build, compile, warm up, then blocks of all arms in turns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import ceil

from backends.base import NotSupported
from suite.analysis.disturbance import DISTURBED
from suite.analysis.times import Times
from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES, Job, JobGroup, Sink, Unusable
from suite.engine.pool import WorkerPool
from suite.machine import cores
from suite.measure import gpu, in_a_row, repeats
from suite.measure.schedule import orders
from suite.measure.validity import APART, disturbed, false_clock, jumped, void
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.records.schema import BlockRecord, Cell, ParityRecord, ParityResult, PhaseRecord
from suite.worker import waiting
from suite.worker.answers import BlockTimes
from suite.worker.client import Program
from suite.worker.fresh import EARLY, LATE

LEAST_ROUNDS = 6  # per launch; all permutations of three arms
LEAST_SECONDS = 0.7  # per launch, in blocks of the fastest arm
MOST_SECONDS = 8.0  # but no more rounds than give the slowest arm this
FASTEST_BLOCK_SECONDS = 0.03  # a block of the fastest arm takes at least this
SLOWEST_BLOCK_SECONDS = 0.5  # and of the slowest at most this, if a step allows
# Before a block's clock starts, and at least a step: after another worker's turn, PyTorch's first
# cnn-tiny step took 30 % longer and its first two predictions 69 and 25 %, JAX's first
# transformer-tiny step 3 %. Caches have to be filled and threads woken, and no training pays for
# that.
LEAD_IN_SECONDS = 0.015
MOST_AGAIN = 2  # disturbed sets of rounds of a launch that are measured again
MOST_WAIT_SECONDS = 10.0  # of a launch, in all, while the cores are slow
LOOK_SECONDS = 0.25  # until they are looked at again
WARMUP_STEPS = 3
WARMUP_WINDOW_SECONDS = 0.1
STEADY_WITHIN = 0.1  # two windows in a row differ by less
MOST_WINDOWS = 12
MOST_LATENCIES = 100  # of one launch
LATENCIES_SECONDS = 0.2
FED_SECONDS = 0.5  # of steps that have their batch put on the device
ENERGY_SECONDS = 1.0  # of steps, between two readings of a counter that advances in jumps
WINDOW_TRIES = 3  # before the clock is given up


@dataclass
class Entry:
    """A cell that takes part, and what it was seen to need."""

    configuration: Configuration
    cell: Cell
    step_seconds: float = 0.0
    alive: bool = True
    void: list[str | None] = field(default_factory=list)  # of each block
    most_steps: int = 1  # in a row, of a block with its lead-in
    # Of steps that were timed, the worker's seconds for everything, the coordinator's, and whether
    # something else worked beside them.
    clocks: list[tuple[float, float, bool]] = field(default_factory=list)


# A block as it was seen, before its set is known to count: of which cell, the fields of its record
# that tell where it stands, its times.
Seen = tuple[Entry, dict[str, int], BlockTimes]
Comparison = Sequence[tuple[Configuration, Cell]]
Look = Callable[[WorkerPool, Configuration, Cell, TaskInputs, int], ParityResult | None]


@dataclass
class State:
    """What is known of a run while it goes on: cells that an earlier launch could not measure,
    which are not tried again, the times so far, how long known work took lately, and who asks
    parity of what is timed (suite.parity.sizes; nobody where nothing is ranked).
    """

    failed: set[Cell] = field(default_factory=set)
    times: Times = field(default_factory=Times)
    known_work: deque[float] = field(default_factory=cores.recent)
    look: Look | None = None
    wrong: set[Cell] = field(default_factory=set)  # whose times are of something else

    def trusts(self, backend: str) -> bool:
        """Was nothing wrong shown of it?"""
        return all(cell.backend != backend for cell in self.wrong)


def launch(
    number: int,
    comparisons: Sequence[Comparison],
    inputs_of: Mapping[str, TaskInputs],
    state: State,
    half_width: float | None = None,
    share: float = 1.0,
) -> JobGroup:
    """Launch ``number`` of every comparison, in workers of its own; with ``half_width`` only of
    those whose intervals are still wider. Its rounds get this ``share`` of the usual seconds. Each
    cell that cannot be measured leaves a failure record.
    """

    def job(comparison: Comparison) -> Job:
        first = comparison[0][1]
        task_inputs = inputs_of[first.task]

        def able() -> Comparison:
            """What no earlier launch failed to measure."""
            return [each for each in comparison if each[1] not in state.failed]

        def run(pool: WorkerPool, sink: Sink) -> None:
            Launch(number, task_inputs, state, pool, sink, share).run(able())

        def wider(half_width: float) -> bool:
            """Is an interval still wider than this?"""
            return state.times.half_width([cell for _, cell in able()]) > half_width

        cells = [cell for _, cell in comparison]
        return Job(
            id="/".join(map(str, ("timing", number, *first.comparison))),
            label=f"timing, launch {number + 1}: {first.task} {first.phase}, "
            f"batch {first.batch_size}",
            cost_seconds=estimate.timing(task_inputs.task, cells, share, number == 0),
            run=run,
            wanted=None if half_width is None else partial(wider, half_width),
        )

    return JobGroup(suffix=str(number), jobs=tuple(map(job, comparisons)))


@dataclass(frozen=True)
class Launch:
    """A launch of a comparison while it runs."""

    launch: int
    task_inputs: TaskInputs
    state: State
    pool: WorkerPool
    sink: Sink
    share: float = 1.0

    def run(self, comparison: Comparison) -> None:
        """Prepare all cells, time them in rounds, then look at each by itself."""
        entries = [Entry(configuration, cell) for configuration, cell in comparison]
        self._prepare(entries)
        for entry in entries:
            self._attempt(entry, self._warm_up)
        ready = [entry for entry in entries if entry.alive]
        if not ready:
            return
        self._rounds(ready, self.task_inputs.seed + self.launch)
        for entry in ready:
            for do in (
                *(self._wait_for_each, self._feed, self._count_joules),
                *(self._repeat, self._train_in_a_row, self._ask_again, self._check_clock, _judge),
            ):
                self._attempt(entry, do)

    def _program(self, entry: Entry) -> Program:
        return self.pool.client(entry.configuration).programs[entry.cell.task]

    def _prepare(self, entries: Sequence[Entry]) -> None:
        """Have every worker ready for its second step: one after the other in the first launch,
        which times imports and first steps, later side by side.
        """
        with ThreadPoolExecutor(estimate.AT_ONCE if self.launch else 1) as threads:
            begun = [threads.submit(self._attempt, entry, self._begin) for entry in entries]
        for each in begun:
            each.result()

    def _begin(self, entry: Entry) -> None:
        configuration, cell, task_inputs = entry.configuration, entry.cell, self.task_inputs
        first_launch, fresh = self.launch == 0, configuration not in self.pool.clients
        client = self.pool.client(configuration, timed=first_launch)
        if first_launch and fresh:
            self._phase("import", client.import_seconds, backend=cell.backend)
        known = cell.task in client.programs  # by another comparison of this launch
        program = self.pool.program(configuration, task_inputs, task_inputs.initial)
        if not known:
            built = program.built
            self._phase("build", built.seconds, cell=cell, facts=built.facts)
        first = self._steps(entry, 1)
        if first_launch and not jumped(first):  # later ones find what it compiled
            self._phase("compile", first.seconds, cell=cell)
        if first_launch:
            why = waiting.check(partial(program.waits, cell.phase, cell.batch_size))
            if why is not None:
                raise Unusable(why)
            self._ask(entry, EARLY)

    def _ask(self, entry: Entry, step: int, when: str = "") -> None:
        """What is timed is what parity is asked of: of this very program, with a batch of this
        size and so many steps counted before. A wrong answer is recorded and leaves the cell its
        samples; of a later asking, which ``when`` names, no other is.
        """
        configuration, task_inputs = entry.configuration, self.task_inputs
        if self.state.look is None or configuration.twin or entry.cell in self.state.wrong:
            return  # what a twin doubles was asked
        result = self.state.look(self.pool, configuration, entry.cell, task_inputs, step)
        self.pool.program(configuration, task_inputs, task_inputs.initial)
        if result is None:
            return
        if result.wrong:
            self.state.wrong.add(entry.cell)
        if result.wrong or not when:
            reason = " ".join(filter(None, (when, result.reason))) or None
            self.sink.emit(ParityRecord, result=result.model_copy(update={"reason": reason}))

    def _ask_again(self, entry: Entry) -> None:
        """After all that was timed: what a program does at its first steps it need not do later."""
        self._ask(entry, LATE, "after its blocks:")

    def _repeat(self, entry: Entry) -> None:
        """Steps over new batches beside repeated ones, in the first launch of what is ranked."""
        cell = entry.cell
        if self.launch or self.state.look is None:
            return
        given = (cell.phase, cell.batch_size, entry.step_seconds)
        looks = repeats.look(self._program(entry), *given)
        for each in looks:
            _same(each.apart, cell)
        self._doubt(entry, repeats.fault(looks))

    def _train_in_a_row(self, entry: Entry) -> None:
        """In the first launch of what is ranked: as many steps in a row as a block has."""
        cell, unranked = entry.cell, self.state.look is None
        if self.launch or cell.phase != "train" or unranked or cell in self.state.wrong:
            return
        given = (cell.batch_size, entry.most_steps, self.task_inputs.initial)
        ask = partial(self._program(entry).steps_in_a_row, *given)
        try:
            why = in_a_row.fault(partial(ask, before=LATE), cell.precision)
        except NotSupported:  # an optimizer of its own may only start anew
            why = in_a_row.fault(ask, cell.precision)
        self._doubt(entry, why)

    def _check_clock(self, entry: Entry) -> None:
        """The worker's, beside the coordinator's; once it is wrong, that is known."""
        if entry.cell not in self.state.wrong:
            self._doubt(entry, false_clock(entry.clocks))

    def _doubt(self, entry: Entry, why: str | None) -> None:
        """The cell's times are of something else, if there is a reason to say so."""
        if why is not None:
            self.state.wrong.add(entry.cell)
            self.sink.fail("timing", entry.cell, "implausible", why)

    def _attempt(self, entry: Entry, do: Callable[[Entry], None]) -> None:
        """Do one thing with one cell, if nothing failed before; a failure costs this cell and
        nothing else.
        """
        if not entry.alive:
            return
        with self.sink.failures("timing", self.pool, entry.configuration, entry.cell):
            try:
                do(entry)
            except FAILURES as error:
                entry.alive = False
                self.state.failed.add(entry.cell)
                if isinstance(error, Unusable):
                    self.state.wrong.add(entry.cell)
                raise

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
        # Read back after the first step and the warm-up, which it would have made faster or slower.
        facts = {} if self.launch else self.pool.client(entry.configuration).arithmetic()
        more = {"samples": samples, "steady": steady, "facts": facts}
        self._phase("warmup", sum(samples), cell=entry.cell, **more)

    def _rounds(self, entries: Sequence[Entry], seed: int) -> None:
        """Whole balanced sets of rounds, begun when the cores are as fast as usual. A disturbed one
        is measured again whole, a few times: never one unlucky cell alone, and on a machine that is
        never quiet not for ever: then it counts, and its blocks say that it was disturbed.
        """
        step_seconds = [entry.step_seconds for entry in entries]
        steps = block_steps(step_seconds)
        left, again, number = rounds(steps, step_seconds, self.share), MOST_AGAIN, 0
        patience = self.share * MOST_WAIT_SECONDS
        while left > 0:
            while patience > 0 and cores.slow(self._look(), self.state.known_work):
                time.sleep(LOOK_SECONDS)
                patience -= LOOK_SECONDS
            order = orders(len(entries), seed + number)
            seen: list[Seen] = []
            for turn, row in enumerate(order):
                work = self._look()
                for position, index in enumerate(row):
                    place = {"round": number + turn, "position": position, "steps": steps}
                    self._attempt(entries[index], partial(self._block, seen, place, work))
            beside = [(times.seconds, times.noise) for _, _, times in seen]
            busy = disturbed(beside, self.state.known_work)
            repeat = again > 0 and busy
            for entry, place, times in seen:
                why = void(times) or (DISTURBED if repeat else None)
                record = self.sink.emit(
                    BlockRecord,
                    cell=entry.cell,
                    launch=self.launch,
                    **place,
                    seconds=times.seconds,
                    noise=times.noise,
                    void=why,
                    disturbed=busy and why is None,
                )
                self.state.times.add(record)
                entry.void.append(why)
            number += len(order)
            again, left = (again - 1, left) if repeat else (again, left - len(order))

    def _look(self) -> list[float]:
        """How long known work takes now, in milliseconds; nothing where that cannot be told."""
        work = cores.known_work()
        if work is None:
            return []
        self.state.known_work.append(work)
        return [work]

    def _block(
        self, seen: list[Seen], place: dict[str, int], work: list[float], entry: Entry
    ) -> None:
        lead_in = max(1, ceil(LEAD_IN_SECONDS / entry.step_seconds))
        times = self._steps(entry, place["steps"], lead_in)
        entry.most_steps = place["steps"] + lead_in
        if work:
            times = times._replace(noise=times.noise | {"known_work_ms": work[0]})
        seen.append((entry, place | {"lead_in": lead_in}, times))

    def _wait_for_each(self, entry: Entry) -> None:
        """Latencies of inference, in a pass of their own: a wait per step would cost the blocks."""
        cell = entry.cell
        if cell.phase == "infer":
            limits = (MOST_LATENCIES, LATENCIES_SECONDS)
            found = self._program(entry).latencies(cell.batch_size, *limits)
            self._phase("latency", sum(found), cell=cell, samples=found)

    def _feed(self, entry: Entry) -> None:
        """A block's steps with the way to the device, which the blocks leave out."""
        cell, steps = entry.cell, block_steps([entry.step_seconds])
        fed = self._program(entry).fed(cell.phase, cell.batch_size, steps, FED_SECONDS)
        self._phase("fed", fed.seconds, cell=cell, samples=[fed.seconds / fed.steps])

    def _count_joules(self, entry: Entry) -> None:
        """What the GPU takes for a step, over so many that its counter can tell."""
        if entry.cell.device != "cuda":
            return
        steps = ceil(ENERGY_SECONDS / entry.step_seconds)
        before = gpu.read(entry.cell.device)
        times = self._steps(entry, steps)
        taken = gpu.joules(before, gpu.read(entry.cell.device))
        if taken is not None and not jumped(times):
            self._phase("energy", times.seconds, cell=entry.cell, samples=[taken / steps])

    def _window(self, entry: Entry, steps: int) -> float:
        """Seconds that a step takes now; seen again where the clock jumped."""
        for _ in range(WINDOW_TRIES):
            times = self._steps(entry, steps)
            if not jumped(times):
                return times.seconds / steps
        raise Unusable(f"the clock jumped in the warm-up, {WINDOW_TRIES} times in a row")

    def _steps(self, entry: Entry, steps: int, lead_in: int = 0) -> BlockTimes:
        """Time some steps; with a lead-in they are a block that is kept."""
        cell = entry.cell
        of_pool = list(self.pool.clients)  # a copy: another worker may be starting beside this one
        ours = sum(configuration.device == cell.device for configuration in of_pool)
        before = gpu.read(cell.device)
        program = self._program(entry)
        began = time.perf_counter()
        times = program.block(cell.phase, cell.batch_size, steps, lead_in, new=lead_in > 0)
        took = time.perf_counter() - began
        busy = disturbed([(times.seconds, times.noise)])
        entry.clocks.append((times.whole_seconds, took, busy))
        beside = gpu.between(before, gpu.read(cell.device), ours)
        if not times.finite:
            raise Unusable("the result of the last step is not finite")
        _same(times.apart, cell)
        return times._replace(noise=times.noise | {"gpu": beside})

    def _phase(self, phase: str, seconds: float, **more: object) -> None:
        self.sink.emit(PhaseRecord, phase=phase, seconds=seconds, launch=self.launch, **more)


def _same(apart: float | None, cell: Cell) -> None:
    """Unusable if a prediction is further from that of the same samples before than rounding in
    another order explains.
    """
    if apart is not None and apart > APART[cell.precision]:
        off = f"off by {apart:.2g}, where {APART[cell.precision]:g} is allowed"
        why = f"a prediction is not what the program gave for the same samples before: {off}"
        raise Unusable(why)


def _judge(entry: Entry) -> None:
    """Unusable if none of the cell's blocks counts."""
    if all(entry.void):
        why, blocks = " or ".join(sorted({str(each) for each in entry.void})), len(entry.void)
        raise Unusable(f"{why} in every block: {blocks} of {blocks}")


def block_steps(step_seconds: Sequence[float]) -> int:
    """How many steps every block has: enough for the fastest arm, not too many for the slowest.

    Many short blocks tell more than a few long ones. Of PyTorch's cnn-tiny steps (19 ms) half lie
    within 4 % of the median, but one of twenty is hit by something and takes 18 % longer or more,
    one of a hundred 40 %, so that a block of six is often not spared. With 48 steps an arm in a
    launch, medians of A/A ratios scattered by 0.9 % in blocks of one step, 1.2 % of two, 2.4 % of
    six and 3.5 % of twelve. Much shorter ones would be dear: a block costs 50 to 70 µs, which the
    doctor's known sleep shows as 0.2 % of 30 ms and 0.5 to 0.7 % of 10.
    """
    enough = ceil(FASTEST_BLOCK_SECONDS / min(step_seconds))
    at_most = int(SLOWEST_BLOCK_SECONDS / max(step_seconds))
    return max(1, min(enough, at_most))


def rounds(steps: int, step_seconds: Sequence[float], share: float = 1.0) -> int:
    """How many rounds a launch has at least: enough for the fastest arm, not too many for the
    slowest, in a ``share`` of the usual seconds. TensorFlow's eager rnn-tiny takes 100 times as
    long as JAX's: 50 rounds for JAX's sake took a launch of that comparison 5 minutes.
    """
    enough = ceil(share * LEAST_SECONDS / (steps * min(step_seconds)))
    at_most = ceil(share * MOST_SECONDS / (steps * max(step_seconds)))
    return max(LEAST_ROUNDS, min(enough, at_most))
