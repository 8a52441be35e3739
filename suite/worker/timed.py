"""What a worker measures of its own steps."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from math import ceil
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import State
from suite.machine import noise
from suite.worker import fresh, in_a_row, stopwatch, waiting
from suite.worker.answers import BlockTimes, Fed, Freshness, InARow
from suite.worker.workshop import Bench, Workshop, operation, read_state, uncollected


@operation
def put(workshop: Workshop, task: str, size: int) -> None:
    """Put the batch of this size that is timed on the device, if it is not there."""
    workshop.benches[task].timed(size)


@operation
def block(
    workshop: Workshop,
    task: str,
    phase: str,
    size: int,
    steps: int,
    lead_in: int = 0,
    new: bool = False,
) -> BlockTimes:
    """Time ``steps`` steps over batches of ``size`` samples as one, after ``lead_in`` that are not
    timed: one wait before the clock starts, one before it stops. Beside it runs the wall's clock,
    and what is compiled meanwhile is counted; see suite.measure.validity. Noise is of the lead-in
    too. Before the clock, a prediction's batch is ``new`` to the program, where that is asked for;
    after it the last result is looked at.
    """
    called, bench = stopwatch.seconds(), workshop.benches[task]
    step, wait, wanted = _step(bench, phase), bench.program.wait, None
    if new and phase == "infer":
        timed, wanted = fresh.unmet(bench.program, bench.batches(size))
    else:
        timed = bench.timed(size)
    gc.collect()
    programs = bench.program.compilations()  # once dropped programs are gone
    gc.freeze()  # not looked at again: with TensorFlow each later collection took 0.14 s
    gc.disable()
    try:
        before = noise.read()  # here, so that nothing comes between the wait and the clock
        for _ in range(lead_in):
            step(timed)
        wait()
        wall_began, began = stopwatch.wall_seconds(), stopwatch.seconds()
        for _ in range(steps):
            last = step(timed)
        wait()
        seconds, wall_seconds = stopwatch.seconds() - began, stopwatch.wall_seconds() - wall_began
        after = noise.read()
    finally:
        gc.enable()
    compiled = None if programs is None else (bench.program.compilations() or 0) - programs
    found, late_seconds = fresh.settled(bench.program, last)
    return BlockTimes(
        seconds=seconds,
        wall_seconds=wall_seconds,
        compiled=compiled,
        finite=bool(np.isfinite(found).all()),
        late_seconds=late_seconds,
        apart=None if wanted is None else fresh.told(fresh.distance(found, wanted)),
        noise=noise.between(before, after),
        whole_seconds=stopwatch.seconds() - called,
    )


@operation
def freshness(
    workshop: Workshop, task: str, phase: str, size: int, steps: int, within_seconds: float
) -> Freshness | None:
    """What suite.worker.fresh.compare finds."""
    bench = workshop.benches[task]
    bench.changed()
    return fresh.compare(bench.program, bench.batches(size), phase, steps, within_seconds)


@operation
def steps_in_a_row(
    workshop: Workshop, task: str, size: int, steps: int, parameters: str, before: int = 0
) -> InARow:
    """What suite.worker.in_a_row.compare finds, from the parameters of this file and with so many
    steps counted ``before``.
    """
    bench = workshop.benches[task]
    bench.changed()
    state = replace(read_state(bench.task, parameters), step=before)
    return in_a_row.compare(bench.program, bench.timed(size), state, steps)


@operation
def latencies(
    workshop: Workshop, task: str, size: int, most: int, within_seconds: float
) -> list[float]:
    """The seconds of up to ``most`` predictions, each waited for: what one who asks has to wait."""
    program, timed = workshop.benches[task].program, workshop.benches[task].timed(size)
    program.predict(timed)
    program.wait()
    found: list[float] = []
    while len(found) < most and sum(found) < within_seconds:
        began = stopwatch.seconds()
        program.predict(timed)
        program.wait()
        found.append(stopwatch.seconds() - began)
    return found


@operation
def waits(
    workshop: Workshop,
    task: str,
    phase: str,
    size: int,
    inside: bool = False,
    pause_seconds: float = 0.0,
) -> list[waiting.Look]:
    """Looks at what is left to do when ``wait`` returns, for steps over the timed batch; see
    suite.worker.waiting. With ``inside`` the program's state is read too, which for large models
    takes long; after ``pause_seconds`` everything is read again, and must be the same.
    """
    bench = workshop.benches[task]
    program, timed, step = bench.program, bench.timed(size), _step(bench, phase)
    bench.changed()

    def read(*results: Any) -> list[NDArray[Any]]:
        return [np.array(program.numpy(result)) for result in results]

    def state() -> list[NDArray[Any]]:
        return _arrays(program.state()) if inside else []

    def waited_for() -> Any:
        result = step(timed)
        program.wait()
        return result

    def seconds(do: Callable[..., Any], *given: Any) -> float:
        began = stopwatch.seconds()
        do(*given)
        return stopwatch.seconds() - began

    def look(steps: int) -> waiting.Look:
        known = [waited_for(), waited_for()]  # even where wait finishes the latest step alone
        state()  # what they have left is done then: of three steps it made 30 % left to do 23 %
        began = stopwatch.seconds()
        results = [step(timed) for _ in range(steps)]
        program.wait()
        waited = stopwatch.seconds()
        found = read(*reversed(results)) + state()
        left = stopwatch.seconds() - waited
        reading = steps * min(seconds(read, each) for each in known) + seconds(state)
        sleep(pause_seconds)
        changed = not all(map(_equal, found, read(*reversed(results)) + state()))
        return waiting.Look(steps, waited - began, left, reading, changed)

    with uncollected():
        read(step(timed))  # compiled then
        once = max(seconds(lambda: read(step(timed))), 1e-9)
        steps = min(ceil(waiting.LEAST_SECONDS / once), waiting.MOST_STEPS)
        looks: list[waiting.Look] = []
        while not waiting.decided(looks):
            looks.append(look(max(steps, waiting.LEAST_STEPS)))
    return looks


def _arrays(state: State) -> list[NDArray[Any]]:
    named = [state.parameters, state.buffers, *state.moments.values()]
    return [np.array(array) for part in named for array in part.values()] + [np.array(state.step)]


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=True)


@operation
def fed(
    workshop: Workshop, task: str, phase: str, size: int, steps: int, within_seconds: float
) -> Fed:
    """Up to ``steps`` steps, each with its batch of ``size`` put on the device first. No step
    begins after ``within_seconds``.
    """
    bench = workshop.benches[task]
    samples = bench.data["train"]
    host = samples.take(fresh.rows(len(samples), size))
    step = _step(bench, phase)
    step(bench.program.put(host))  # what other workers did to caches and threads is over then
    bench.program.wait()
    began, done = stopwatch.seconds(), 0
    while done < steps and (done == 0 or stopwatch.seconds() - began < within_seconds):
        step(bench.program.put(host))
        done += 1
    bench.program.wait()
    return Fed(stopwatch.seconds() - began, done)


def _step(bench: Bench, phase: str) -> Callable[[Any], Any]:
    """What is done with a batch."""
    if phase == "infer":
        return bench.program.predict
    bench.changed()
    return bench.program.train_step
