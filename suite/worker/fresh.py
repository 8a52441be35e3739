"""Batches that a program has not met, and what its predictions of them must be.

A batch is made of rows of a pool of samples, in an order of its own. A prediction takes each sample
for itself, so that the pool's logits say what those of every batch are: the reference looks at a
pool once, and every timed block may have a batch that is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Program, State
from suite.worker import stopwatch
from suite.worker.answers import Freshness
from tasks.base import Batch

LEAST_SAMPLES = 64  # of a pool
MOST_SECONDS = 2.0  # of a pool's batches on their way to the device, before one is used again
EARLY = 100  # steps counted before a program is asked first: Adam's corrections are still at work
LATE = 10_000  # steps that a program may have made when it is asked again
STANDING = 1e-6  # of a parameter's norm: a change that rounding could swallow
OTHER = 0.75  # times the parameters are other ones, with which every task still computes
SEED = 20  # of the orders; blocks follow each other in any case


def rows(samples: int, size: int, distinct: int | None = None) -> NDArray[np.int64]:
    """Which of so many training samples make the batch that is timed: the first ones, repeated if
    need be, ``distinct`` of them if not all.
    """
    return np.arange(size) % min(samples, distinct or size)


def pool_rows(samples: int, size: int) -> NDArray[np.int64]:
    """Which of so many training samples make the pool for batches of this size: whole batches."""
    return np.arange(size * -(-LEAST_SAMPLES // size)) % samples


@dataclass
class Pool:
    """The samples that fresh batches of ``size`` are drawn from, with their logits at the program's
    present state, (samples, ...) in float64, once they are known; the batch that was drawn last,
    with its rows; and for how long batches were on their way to the device.
    """

    samples: Batch
    size: int
    logits: NDArray[np.float64] | None = None
    drawn: tuple[Any, NDArray[np.int64]] | None = None
    spent_seconds: float = 0.0
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def draw(self) -> NDArray[np.int64]:
        """The rows of another batch, in an order of its own."""
        return self.random.permutation(len(self.samples))[: self.size]

    def whole(self) -> list[Batch]:
        """All samples, a batch at a time, so that compiled programs see one shape only."""
        starts = range(0, len(self.samples), self.size)
        return [self.samples.take(np.arange(start, start + self.size)) for start in starts]


def logits(program: Program, pool: Pool) -> NDArray[np.float64]:
    """The pool's, at the program's present state."""
    return np.concatenate(
        [program.numpy(program.predict(program.put(batch.unlabelled()))) for batch in pool.whole()]
    )


def unmet(program: Program, pool: Pool) -> tuple[Any, NDArray[np.float64]]:
    """A batch on the device that the program has not met, and its logits. Where the way to the
    device is so long that blocks would wait for it, the one before once more.
    """
    if pool.logits is None:
        pool.logits = logits(program, pool)
    if pool.drawn is None or pool.spent_seconds < MOST_SECONDS:
        began, rows = stopwatch.seconds(), pool.draw()
        batch = program.put(pool.samples.take(rows).unlabelled())
        program.wait()
        pool.spent_seconds += stopwatch.seconds() - began
        pool.drawn = (batch, rows)
    batch, rows = pool.drawn
    return batch, pool.logits[rows]


def distance(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """The worst row's ‖found - wanted‖ in units of the root mean square of a wanted row; infinite
    where the shapes differ or a value is not finite.
    """
    if found.shape != wanted.shape:
        return float("inf")
    apart = (found - wanted).reshape(len(wanted), -1)
    usual = np.sqrt(np.square(wanted).sum() / len(wanted))
    worst = np.sqrt(np.square(apart).sum(axis=1)).max()
    return float(worst / usual if usual > 0 else worst) if np.isfinite(worst) else float("inf")


def told(distance: float) -> float:
    """As JSON has it, which has no infinity."""
    return min(distance, 1e9)


def settled(program: Program, result: Any) -> tuple[NDArray[np.float64], float]:
    """A result that was waited for, and for how many seconds it was not there yet: what reading it
    took longer than to read it again.
    """
    began = stopwatch.seconds()
    found = program.numpy(result)
    first = stopwatch.seconds() - began
    began = stopwatch.seconds()
    program.numpy(result)
    return found, max(0.0, first - (stopwatch.seconds() - began))


def repeated(
    program: Program, met: Any, samples: Batch, start: State, state: State, whole: bool
) -> dict[str, float]:
    """How far a step with a batch that was ``met`` is from one with another of the same samples,
    both from this state, which one step from ``start`` has led to: of the ``loss`` before it and,
    if the state is the ``whole`` one, of the ``update`` of the parameter where they differ most,
    relative; infinite if one that moved before stands still. A second step cannot do with what the
    first has computed.
    """
    second = program.numpy(program.train_step(met))
    after = program.state().parameters
    program.load_state(state)
    right = program.numpy(program.train_step(program.put(samples)))
    found = {"loss": told(relative(second, right))}
    if not whole:  # moments that it does not show are lost
        return found
    updates = program.state().parameters
    apart = [
        relative(after[path] - before, updates[path] - before)
        for path, before in state.parameters.items()
    ]
    stands = any(
        np.array_equal(after[path], before) and relative(start.parameters[path], before) > STANDING
        for path, before in state.parameters.items()
    )
    return found | {"update": told(np.inf if stands else max(apart, default=0.0))}


def relative(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """‖found - wanted‖ / ‖wanted‖, absolute where that is 0; infinite where it is not finite."""
    size, error = float(np.linalg.norm(wanted)), float(np.linalg.norm(found - wanted))
    apart = error / size if size > 0 else error
    return apart if np.isfinite(apart) else float("inf")


def compare(
    program: Program, pool: Pool, phase: str, steps: int, within_seconds: float
) -> Freshness | None:
    """Up to ``steps`` steps of each kind. None where two batches cannot be put on the device in
    this time. Predictions are made with other parameters than those with which their batches were
    put on the device; the program is left at its parameters, or at those of the last step.
    """
    samples = pool.samples.unlabelled() if phase == "infer" else pool.samples
    began, drawn = stopwatch.seconds(), list[NDArray[np.int64]]()
    batches = list[Any]()
    while len(batches) <= steps and (stopwatch.seconds() - began < within_seconds):
        drawn.append(pool.draw())
        batches.append(program.put(samples.take(drawn[-1])))
        program.wait()
    if len(batches) < 3:
        return None
    step = program.predict if phase == "infer" else program.train_step
    arrays = pool.samples.take(slice(pool.size)).arrays()
    size = sum(array.nbytes for name, array in arrays.items() if name.startswith("inputs"))
    if phase == "train":
        new, _ = _quickest(program, step, batches)
        return Freshness(new, _again(program, step, batches), bytes=size)
    state = program.state()
    start = State(parameters=state.parameters, buffers=state.buffers)
    other = {path: OTHER * array for path, array in state.parameters.items()}
    program.load_state(State(parameters=other, buffers=state.buffers))
    new, found = _quickest(program, step, batches)
    repeated = _again(program, step, batches)
    put_since = [program.put(samples.take(rows)) for rows in drawn]
    since, _ = _quickest(program, step, put_since)
    # Only now, when others were made: a result must not be where the next one is put.
    kept = [program.numpy(found[at]) for at in (0, -1)]
    wanted = [program.numpy(step(put_since[at])) for at in (0, -1)]
    program.load_state(start)
    return Freshness(new, repeated, since, told(max(map(distance, kept, wanted))), size)


def _again(program: Program, step: Callable[[Any], Any], batches: Sequence[Any]) -> float:
    """As many steps over the last of these batches."""
    return _quickest(program, step, [batches[-1]] * len(batches))[0]


def _quickest(
    program: Program, step: Callable[[Any], Any], batches: Sequence[Any]
) -> tuple[float, list[Any]]:
    """The seconds of the quickest step but the first, each waited for, and the results. On two
    cores with a load of ten, means over new batches were longer than over a repeated one in five of
    five pairs of an honest adapter, 1.6 to 280 times.
    """
    seconds, results = [], []
    for batch in batches:
        began = stopwatch.seconds()
        results.append(step(batch))
        program.wait()
        seconds.append(stopwatch.seconds() - began)
    return min(seconds[1:]), results
