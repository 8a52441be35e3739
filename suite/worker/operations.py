"""What a worker can be asked. Arrays come and go as .npz files, everything else as JSON."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.numpy.losses import loss as formula
from suite.machine import memory
from suite.machine.copying import copy_seconds
from suite.worker import adapters, stopwatch, timed, values, weights
from suite.worker.answers import Built, Evaluation, Peak, Trained
from suite.worker.environment import threads
from suite.worker.errors import sentence
from suite.worker.private import all_without_private
from suite.worker.transcripts import best_path, distance
from suite.worker.workshop import (
    OPERATIONS,
    Bench,
    Workshop,
    everything,
    large_operation,
    operation,
    read_state,
    save,
    uncollected,
)
from tasks.base import Batch
from tasks.codec import decode
from tasks.spec import CTC

__all__ = ["OPERATIONS", "timed", "values", "weights"]


@operation
def survey(
    workshop: Workshop,
    device: str = "cpu",
    tasks: Sequence[Any] = (),
    wanted: Sequence[str] = ("*",),
) -> list[dict[str, object]]:
    """Which of the wanted adapters load in this interpreter, and which of these tasks they can
    build.
    """
    with uncollected():
        return adapters.survey(device, tasks, wanted)


@operation
def start(
    workshop: Workshop,
    backend: str,
    device: str,
    precision: str,
    execution: str,
    timed: bool = False,
) -> float:
    """Import the adapter and its framework, as users do if that is ``timed``; set them up. The
    seconds that this took.
    """
    began = stopwatch.seconds()
    with nullcontext() if timed else uncollected():
        kind = adapters.load(backend)
    workshop.backend = kind(device=device, precision=precision, execution=execution)
    seconds = stopwatch.seconds() - began
    memory.reset_peak()
    workshop.baseline_bytes = memory.resident_bytes()
    return seconds


@operation
def build(workshop: Workshop, task: dict[str, Any], parameters: str, seed: int = 0) -> Built:
    """Build the task's program at the parameters of this file, with random numbers of this seed; an
    older one is dropped.
    """
    assert workshop.backend is not None
    spec = decode(task)
    state = read_state(spec, parameters, seed)
    began = stopwatch.seconds()
    program = workshop.backend.build(spec, state.parameters)
    if state.buffers or state.seed is not None:
        program.load_state(state)
    program.wait()
    seconds = stopwatch.seconds() - began
    workshop.benches[spec.name] = Bench(spec, program)
    return Built(seconds, all_without_private(program.facts()))


@operation
def differences(workshop: Workshop, task: str) -> dict[str, str]:
    """What of a built task the adapter does by a rule of its own, and why."""
    assert workshop.backend is not None
    return all_without_private(workshop.backend.differences(workshop.benches[task].task))


@operation
def reset(workshop: Workshop, task: str, parameters: str, seed: int = 0) -> None:
    """Set the program back to the start of a training, at the parameters of this file, with random
    numbers of this seed.
    """
    bench = workshop.benches[task]
    bench.program.load_state(read_state(bench.task, parameters, seed))
    bench.changed()


@large_operation
def drop(workshop: Workshop, task: str) -> None:
    """Forget a task's program."""
    del workshop.benches[task]
    gc.unfreeze()  # a timed block froze it, and what is frozen is never collected
    gc.collect()


@operation
def load(workshop: Workshop, task: str, path: str) -> None:
    """Read the task's data; see suite.data for the file. What was read before is not read again:
    CIFAR-10 takes 1.2 GB, and a program is set back several times.
    """
    bench, found = workshop.benches[task], os.stat(path)
    source = (path, found.st_ino, found.st_size, found.st_mtime_ns)
    if bench.source == source:
        return
    bench.pool, bench.placed, bench.source = None, None, source
    with np.load(path) as arrays:
        splits: dict[str, dict[str, NDArray[Any]]] = {}
        for key in arrays.files:
            name, _, part = key.partition(".")
            if part:
                splits.setdefault(name, {})[part] = arrays[key]
        bench.data |= {name: Batch.of(parts) for name, parts in splits.items()}
        bench.order = arrays["order"]


@operation
def copy(workshop: Workshop, size_bytes: int, repeats: int) -> list[float]:
    """Seconds of each copy of so much memory, with a thread for each core."""
    return copy_seconds(size_bytes, repeats, threads())


@operation
def peak(workshop: Workshop, task: str) -> Peak:
    """Peaks since ``start``."""
    top, base = memory.peak_bytes(), workshop.baseline_bytes  # before a compiler is asked
    own = workshop.benches[task].program.memory()
    return Peak(
        live=own.live_bytes,
        reserved=own.reserved_bytes,
        planned=own.planned_bytes,
        process=None if top is None or base is None else top - base,
        baseline=base,
    )


@large_operation
def train(workshop: Workshop, task: str, first: int, last: int) -> Trained:
    """Train on batches ``first`` to ``last`` (excluded) of the stored order."""
    bench = workshop.benches[task]
    bench.changed()
    assert bench.order is not None
    began = stopwatch.seconds()
    losses = [
        bench.program.train_step(bench.program.put(bench.data["train"].take(rows)))
        for rows in bench.order[first:last]
    ]
    bench.program.wait()
    seconds = stopwatch.seconds() - began
    return Trained([float(bench.program.numpy(loss)) for loss in losses], seconds)


@operation
def evaluate(workshop: Workshop, task: str, split: str) -> Evaluation:
    """Evaluate a split, batch by batch: of each target its loss and the guess are kept, no logits.
    Targets below 0 are left out. With CTC it is how a sample is transcribed.
    """
    bench = workshop.benches[task]
    before = everything(bench.program.state())
    if isinstance(bench.task.loss, CTC):
        return _transcribed(bench, bench.task.loss, split, before)
    targets, losses, guesses = bench.data[split].targets, [np.empty(0)], [np.empty(0, np.intp)]
    finite, classes, whole = True, 0, [np.empty(0, bool)]
    for rows, logits in _predicted(bench, split):
        finite, classes = bool(np.isfinite(logits).all()), logits.shape[-1]
        if not finite:
            break
        batch = targets[rows]
        wanted = batch[batch >= 0]
        shifted = logits[batch >= 0]
        guesses.append(shifted.argmax(axis=1))
        if targets.ndim > 1:
            right = (batch < 0) | (logits.argmax(axis=-1) == batch)
            whole.append(right[(batch >= 0).any(axis=1)].all(axis=1))
        shifted = shifted - shifted.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1))
        losses.append(log_sum - shifted[np.arange(len(wanted)), wanted])
    changed = _changed(bench, before)
    wanted, guessed = targets[targets >= 0], np.concatenate(guesses)
    if not finite or not len(wanted):
        return Evaluation(0, len(wanted), float("nan"), [], changed)
    confusion = np.zeros((classes,) * 2 if targets.ndim == 1 else (0, 0), np.int64)
    if targets.ndim == 1:
        np.add.at(confusion, (wanted, guessed), 1)
    return Evaluation(
        correct=int((guessed == wanted).sum()),
        samples=len(wanted),
        loss=float(np.concatenate(losses).mean()),
        confusion=confusion.tolist(),
        changed=changed,
        whole=int(np.concatenate(whole).sum()),
        sequences=len(np.concatenate(whole)),
    )


def _transcribed(
    bench: Bench, loss: CTC, split: str, before: dict[str, NDArray[Any]]
) -> Evaluation:
    """By best path, of the valid steps of each sample."""
    samples, model = bench.data[split], bench.task.model
    given = samples.valid if isinstance(samples.valid, dict) else {"": samples.valid}
    valid = model.valid(given)[model.places()[-1].path]
    total, right, errors = 0.0, 0, 0
    for rows, logits in _predicted(bench, split):
        shown = np.ones(logits.shape[:2], bool) if valid is None else valid[rows]
        value, _ = formula(loss, logits, samples.targets[rows], shown)
        total += float(value) * len(logits)
        if not np.isfinite(logits).all():
            total = float("nan")
            break
        for each, steps, labels in zip(logits, shown, samples.targets[rows], strict=True):
            wanted = labels[labels >= 0].tolist()
            apart = distance(best_path(each[steps], loss.blank), wanted)
            right, errors = right + (apart == 0), errors + apart
    return Evaluation(
        correct=right,
        samples=len(samples),
        loss=total / len(samples),
        confusion=[],
        changed=_changed(bench, before),
        errors=errors,
        labels=int((samples.targets >= 0).sum()),
    )


def _changed(bench: Bench, before: dict[str, NDArray[Any]]) -> bool:
    after = everything(bench.program.state())
    return any(not np.array_equal(after[key], before[key], equal_nan=True) for key in before)


@operation
def logits(
    workshop: Workshop, task: str, split: str, path: str, samples: int | None = None
) -> None:
    """Write a split's logits (samples, ..., classes) as in evaluation, or those of so many of its
    first samples.
    """
    parts = [found for _, found in _predicted(workshop.benches[task], split, samples)]
    save(path, {"logits": np.concatenate(parts)})


def _predicted(
    bench: Bench, split: str, most: int | None = None
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """The rows of each batch of a split, in order, and their logits; of so many samples at most."""
    samples, size = bench.data[split], bench.task.batch_size
    count = len(samples) if most is None else min(len(samples), most)
    for start in range(0, count, size):
        # The last batch is filled up, so that compiled programs see one shape only.
        rows = np.arange(start, start + size) % len(samples)
        found = bench.program.predict(bench.program.put(samples.take(rows).unlabelled()))
        end = min(count, start + size)
        yield slice(start, end), bench.program.numpy(found)[: end - start].astype(np.float64)


@operation
def facts(workshop: Workshop, task: str) -> dict[str, str]:
    """The paths that the program took."""
    return all_without_private(workshop.benches[task].program.facts())


@operation
def arithmetic(workshop: Workshop) -> dict[str, str]:
    """What this process computes with, as read back; what cannot be costs no cell."""
    assert workshop.backend is not None
    try:
        return all_without_private(workshop.backend.arithmetic())
    except Exception as error:
        return {"instructions": f"not told: {sentence(error)}"}
