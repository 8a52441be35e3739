"""What a worker can be asked. Arrays come and go as .npz files, everything else as JSON."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Capture, Program, State
from suite.measure import memory, noise, waiting
from suite.measure.copying import copy_seconds
from suite.worker import adapters, fresh
from suite.worker.environment import threads
from tasks.base import Batch, Task
from tasks.codec import decode

Operation = Callable[..., Any]
OPERATIONS: dict[str, Operation] = {}


@dataclass
class Bench:
    """One task in this worker: its program, its data on the host, its timed batch of ``size``
    samples on the device, and what fresh batches are drawn from; ``source`` tells the data's file.
    """

    task: Task
    program: Program
    data: dict[str, Batch] = field(default_factory=dict)
    source: tuple[str, int, int, int] | None = None
    order: NDArray[np.int64] | None = None
    timed: Any = None
    size: int = 0
    pool: fresh.Pool | None = None

    def batches(self, size: int) -> fresh.Pool:
        """What fresh batches of this size are drawn from."""
        if self.pool is None or self.pool.size != size:
            samples = self.data["train"]
            self.pool = fresh.Pool(samples.take(fresh.pool_rows(len(samples), size)), size)
        return self.pool

    def changed(self) -> None:
        """The program has another state now, and other logits."""
        if self.pool is not None:
            self.pool.logits = None


@dataclass
class Workshop:
    """What the worker holds between requests."""

    backend: Backend | None = None
    benches: dict[str, Bench] = field(default_factory=dict)
    baseline_bytes: int | None = None


def operation(function: Operation) -> Operation:
    """Make a function callable by the coordinator under its own name."""
    OPERATIONS[function.__name__] = function
    return function


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect garbage afterwards, not meanwhile. To import TensorFlow, 2800 modules, so takes 0.86
    of the time, PyTorch 0.83 (medians of four).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()


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
) -> dict[str, Any]:
    """Import the adapter and its framework, as users do if that is ``timed``; set them up."""
    began = time.perf_counter()
    with nullcontext() if timed else uncollected():
        kind = adapters.load(backend)
    workshop.backend = kind(device=device, precision=precision, execution=execution)
    seconds = time.perf_counter() - began
    memory.reset_peak()
    workshop.baseline_bytes = memory.resident_bytes()
    return {"seconds": seconds}


@operation
def build(workshop: Workshop, task: dict[str, Any], parameters: str) -> dict[str, Any]:
    """Build the task's program at the parameters of this file; an older one is dropped."""
    assert workshop.backend is not None
    spec = decode(task)
    state = read_state(spec, parameters)
    began = time.perf_counter()
    program = workshop.backend.build(spec, state.parameters)
    if state.buffers:
        program.load_state(state)
    program.wait()
    seconds = time.perf_counter() - began
    workshop.benches[spec.name] = Bench(spec, program)
    return {"seconds": seconds, "facts": program.facts()}


@operation
def differences(workshop: Workshop, task: str) -> dict[str, str]:
    """What of a built task the adapter does by a rule of its own, and why."""
    assert workshop.backend is not None
    return workshop.backend.differences(workshop.benches[task].task)


@operation
def reset(workshop: Workshop, task: str, parameters: str) -> None:
    """Set the program back to the start of a training, at the parameters of this file."""
    bench = workshop.benches[task]
    bench.program.load_state(read_state(bench.task, parameters))
    bench.changed()


@operation
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
    bench.pool, bench.source = None, source
    with np.load(path) as arrays:
        names = {name.partition(".")[0] for name in arrays.files if "." in name}
        for name in names:
            parts = {k: arrays[f"{name}.{k}"] for k in ("inputs", "targets")}
            valid = arrays[f"{name}.valid"] if f"{name}.valid" in arrays.files else None
            bench.data[name] = Batch(**parts, valid=valid)
        bench.order = arrays["order"]


@operation
def place(workshop: Workshop, task: str, size: int) -> None:
    """Put the batch that will be timed on the device: training samples, repeated if need be."""
    bench = workshop.benches[task]
    samples = bench.data["train"]
    bench.timed = bench.program.put(samples.take(fresh.rows(len(samples), size)))
    bench.size = size
    bench.program.wait()


@operation
def block(
    workshop: Workshop,
    task: str,
    phase: str,
    steps: int,
    lead_in: int = 0,
    new: bool = False,
) -> dict[str, Any]:
    """Time ``steps`` steps as one, after ``lead_in`` that are not timed: one wait before the clock
    starts, one before it stops. Beside it runs the wall's clock, and what is compiled meanwhile is
    counted; see suite.measure.void. Noise is of the lead-in too.

    Before the clock, a prediction's batch is ``new`` to the program, where that is asked for. After
    it the last result is looked at: is it ``finite``, for how many seconds was it not there
    (``late_seconds``), and how far is it from what its batch must give (``apart``, see
    suite.worker.fresh; None where that is not known)?
    """
    bench = workshop.benches[task]
    step = bench.program.train_step if phase == "train" else bench.program.predict
    timed, wait, wanted = bench.timed, bench.program.wait, None
    if phase == "train":
        bench.changed()
    elif new:
        timed, wanted = fresh.unmet(bench.program, bench.batches(bench.size))
    gc.collect()
    programs = bench.program.compilations()  # once dropped programs are gone
    gc.freeze()  # not looked at again: with TensorFlow each later collection took 0.14 s
    gc.disable()
    try:
        before = noise.read()  # here, so that nothing comes between the wait and the clock
        for _ in range(lead_in):
            step(timed)
        wait()
        wall_began, began = time.time(), time.perf_counter()
        for _ in range(steps):
            last = step(timed)
        wait()
        seconds, wall_seconds = time.perf_counter() - began, time.time() - wall_began
        after = noise.read()
    finally:
        gc.enable()
    compiled = None if programs is None else (bench.program.compilations() or 0) - programs
    found, late_seconds = fresh.settled(bench.program, last)
    return {
        "seconds": seconds,
        "wall_seconds": wall_seconds,
        "compiled": compiled,
        "noise": noise.between(before, after),
        "finite": bool(np.isfinite(found).all()),
        "late_seconds": late_seconds,
        "apart": None if wanted is None else fresh.told(fresh.distance(found, wanted)),
    }


@operation
def freshness(
    workshop: Workshop, task: str, steps: int, within_seconds: float
) -> dict[str, Any] | None:
    """What suite.worker.fresh.compare finds, and the ``bytes`` of a batch's inputs; None where
    batches cannot be had in time.
    """
    bench = workshop.benches[task]
    pool = bench.batches(bench.size)
    found = fresh.compare(bench.program, pool, steps, within_seconds)
    if found is None:
        return None
    return found._asdict() | {"bytes": pool.samples.inputs[:1].nbytes * pool.size}


@operation
def attempt(
    workshop: Workshop,
    task: str,
    phase: str,
    size: int,
    parameters: str,
    path: str,
    step: int = 0,
    distinct: int | None = None,
    again: bool = False,
) -> None:
    """Write what the program makes of training samples in batches of this size, at the parameters
    of this file: for ``infer`` the logits of the pool; else the loss before a step and everything
    that it changed, with a batch of ``distinct`` samples if not all and ``step`` steps counted
    before. The batches are on the device before the parameters, so that nothing can have been
    computed with them.

    With ``again``, what suite.worker.fresh.repeated finds of a second step, too.
    """
    bench = workshop.benches[task]
    program, samples = bench.program, bench.data["train"]
    state = replace(read_state(bench.task, parameters), step=step)
    bench.changed()
    if phase == "infer":
        batches = [program.put(batch) for batch in bench.batches(size).whole()]
        program.load_state(state)
        found = [program.numpy(program.predict(batch)) for batch in batches]
        save(path, {"logits": np.concatenate(found)})
        return
    rows = fresh.rows(len(samples), size, distinct)
    batch = program.put(samples.take(rows))
    program.load_state(state)
    loss, made = program.numpy(program.train_step(batch)), program.state()
    arrays = {"loss": loss} | _everything(made)
    if again:
        whole = bool(made.moments) or not bench.task.optimizer.moments()
        twice = fresh.repeated(program, batch, samples.take(rows), made, whole)
        arrays |= {f"again/{name}": np.array(apart) for name, apart in twice.items()}
    save(path, arrays)


@operation
def latencies(workshop: Workshop, task: str, most: int, within_seconds: float) -> list[float]:
    """The seconds of up to ``most`` predictions, each waited for: what one who asks has to wait."""
    program, timed = workshop.benches[task].program, workshop.benches[task].timed
    program.predict(timed)
    program.wait()
    found: list[float] = []
    while len(found) < most and sum(found) < within_seconds:
        began = time.perf_counter()
        program.predict(timed)
        program.wait()
        found.append(time.perf_counter() - began)
    return found


@operation
def waits(
    workshop: Workshop, task: str, phase: str, inside: bool = False, pause_seconds: float = 0.0
) -> list[waiting.Look]:
    """Looks at what is left to do when ``wait`` returns, for steps over the timed batch; see
    suite.measure.waiting. With ``inside`` the program's state is read too, which for large models
    takes long; after ``pause_seconds`` everything is read again, and must be the same.
    """
    bench = workshop.benches[task]
    program, timed = bench.program, bench.timed
    step = program.train_step if phase == "train" else program.predict
    bench.changed()

    def read(*results: Any) -> list[NDArray[Any]]:
        found = [np.array(program.numpy(result)) for result in results]
        return found + (_arrays(program.state()) if inside else [])

    def look(steps: int) -> waiting.Look:
        began = time.perf_counter()
        first, second = step(timed), step(timed)
        for _ in range(steps - 3):
            step(timed)
        last = step(timed)
        program.wait()
        waited = time.perf_counter()
        found = read(last, first)
        there = time.perf_counter()
        read(second, second)
        again = time.perf_counter()
        sleep(pause_seconds)
        changed = not all(map(_equal, found, read(last, first)))
        return waiting.Look(steps, waited - began, there - waited, again - there, changed)

    with uncollected():
        read(step(timed))  # compiled then
        began = time.perf_counter()
        read(step(timed))
        seconds = max(time.perf_counter() - began, 1e-9)
        steps = min(ceil(waiting.LEAST_SECONDS / seconds), waiting.MOST_STEPS)
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
) -> dict[str, Any]:
    """The ``seconds`` of up to ``steps`` steps, each with its batch of ``size`` put on the device
    first. No step begins after ``within_seconds``.
    """
    bench = workshop.benches[task]
    samples = bench.data["train"]
    host = samples.take(fresh.rows(len(samples), size))
    step = bench.program.train_step if phase == "train" else bench.program.predict
    if phase == "train":
        bench.changed()
    step(bench.program.put(host))  # what other workers did to caches and threads is over then
    bench.program.wait()
    began, done = time.perf_counter(), 0
    while done < steps and (done == 0 or time.perf_counter() - began < within_seconds):
        step(bench.program.put(host))
        done += 1
    bench.program.wait()
    return {"seconds": time.perf_counter() - began, "steps": done}


@operation
def copy(workshop: Workshop, size_bytes: int, repeats: int) -> list[float]:
    """Seconds of each copy of so much memory, with a thread for each core."""
    return copy_seconds(size_bytes, repeats, threads())


@operation
def peak(workshop: Workshop, task: str) -> dict[str, int | None]:
    """Peaks since ``start``, bytes."""
    top, base = memory.peak_bytes(), workshop.baseline_bytes  # before a compiler is asked
    own = workshop.benches[task].program.memory()
    return {
        "live": own.live_bytes,
        "reserved": own.reserved_bytes,
        "planned": own.planned_bytes,
        "process": None if top is None or base is None else top - base,
        "baseline": base,
    }


@operation
def train(workshop: Workshop, task: str, first: int, last: int) -> dict[str, Any]:
    """Train on batches ``first`` to ``last`` (excluded) of the stored order; the losses."""
    bench = workshop.benches[task]
    bench.changed()
    assert bench.order is not None
    began = time.perf_counter()
    losses = [
        bench.program.train_step(bench.program.put(bench.data["train"].take(rows)))
        for rows in bench.order[first:last]
    ]
    bench.program.wait()
    seconds = time.perf_counter() - began
    return {"losses": [float(bench.program.numpy(loss)) for loss in losses], "seconds": seconds}


@operation
def evaluate(workshop: Workshop, task: str, split: str) -> dict[str, Any]:
    """Of a split: correct samples, all samples, the mean cross-entropy (NaN if any logit is not
    finite), and how often each class (rows) was taken for each (columns).
    """
    bench = workshop.benches[task]
    samples, logits = bench.data[split], _logits(bench, split)
    if not np.isfinite(logits).all():
        return {"correct": 0, "samples": len(samples), "loss": float("nan"), "confusion": []}
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    loss = log_sum - shifted[np.arange(len(samples)), samples.targets]
    confusion = np.zeros((logits.shape[1],) * 2, np.int64)
    np.add.at(confusion, (samples.targets, logits.argmax(axis=1)), 1)
    return {
        "correct": int(np.trace(confusion)),
        "samples": len(samples),
        "loss": float(loss.mean()),
        "confusion": confusion.tolist(),
    }


@operation
def logits(workshop: Workshop, task: str, split: str, path: str) -> None:
    """Write a split's logits (samples, classes) as in evaluation."""
    save(path, {"logits": _logits(workshop.benches[task], split)})


def _logits(bench: Bench, split: str) -> NDArray[np.float64]:
    samples, size = bench.data[split], bench.task.batch_size
    parts = []
    for start in range(0, len(samples), size):
        # The last batch is filled up, so that compiled programs see one shape only.
        rows = np.arange(start, start + size) % len(samples)
        found = bench.program.predict(bench.program.put(samples.take(rows)))
        parts.append(bench.program.numpy(found)[: len(samples) - start])
    return np.concatenate(parts).astype(np.float64)


@operation
def capture(workshop: Workshop, task: str, split: str, path: str, **options: Any) -> dict[str, Any]:
    """Write inner values and predictions for one split taken as one batch, {part/path: array}.
    ``options`` are the reference's.
    """
    bench = workshop.benches[task]
    batch = bench.program.put(bench.data[split])
    found: Capture = bench.program.capture(batch, **options)
    logits = bench.program.numpy(bench.program.predict(batch))
    parts = {
        "predictions": {"logits": logits},
        "activations": found.activations,
        "gradients": found.gradients,
        "input_gradients": found.input_gradients,
        "buffers": found.buffers,
    }
    save(path, {f"{part}/{name}": a for part, named in parts.items() for name, a in named.items()})
    return {"loss": found.loss, "scales": dict(found.scales)}


@operation
def layer(workshop: Workshop, task: str, place: str, given: str, path: str) -> None:
    """Run one layer alone on the inputs, upstream gradient and valid steps of a file."""
    with np.load(given) as arrays:
        valid = arrays["valid"] if "valid" in arrays.files else None
        inputs, upstream = arrays["inputs"], arrays["upstream"]
    found = workshop.benches[task].program.layer_vjp(place, inputs, upstream, valid)
    parts = {"output": found.output}
    if found.input_gradients is not None:
        parts["input_gradients"] = found.input_gradients
    save(path, parts | {f"gradients/{name}": g for name, g in found.gradients.items()})


@operation
def update(workshop: Workshop, task: str, gradients: str, path: str) -> None:
    """Write what one optimizer step makes of the gradients in a capture's file."""
    bench = workshop.benches[task]
    with np.load(gradients) as arrays:
        given = {
            name.removeprefix("gradients/"): arrays[name]
            for name in arrays.files
            if name.startswith("gradients/")
        }
    bench.changed()
    save(path, bench.program.apply_update(given))


@operation
def parameters(workshop: Workshop, task: str, path: str) -> None:
    """Write the present parameters and buffers."""
    state: State = workshop.benches[task].program.state()
    save(path, {**state.parameters, **state.buffers})


@operation
def state(workshop: Workshop, task: str, path: str) -> None:
    """Write everything that training changes, as ``restore`` reads it."""
    save(path, _everything(workshop.benches[task].program.state()))


@operation
def restore(workshop: Workshop, task: str, path: str) -> None:
    """Have the program continue from what ``state`` wrote."""
    parts: dict[str, dict[str, Any]] = {"parameters": {}, "buffers": {}, "moments": {}}
    with np.load(path) as arrays:
        step = int(arrays["step"])
        for key in arrays.files:
            part, _, name = key.partition("/")
            owner, _, moment = name.partition("/")
            if moment:
                parts[part].setdefault(owner, {})[moment] = arrays[key]
            elif name:
                parts[part][name] = arrays[key]
    bench = workshop.benches[task]
    bench.program.load_state(State(**parts, step=step))
    bench.changed()


@operation
def facts(workshop: Workshop, task: str) -> dict[str, str]:
    """The paths that the program took."""
    return workshop.benches[task].program.facts()


def _everything(state: State) -> dict[str, NDArray[Any]]:
    arrays = {f"parameters/{name}": array for name, array in state.parameters.items()}
    arrays |= {f"buffers/{name}": array for name, array in state.buffers.items()}
    for owner, moments in state.moments.items():
        arrays |= {f"moments/{owner}/{name}": array for name, array in moments.items()}
    return arrays | {"step": np.array(state.step)}


@operation
def arithmetic(workshop: Workshop) -> dict[str, str]:
    """What this process computes with, as read back; what cannot be costs no cell."""
    assert workshop.backend is not None
    try:
        return workshop.backend.arithmetic()
    except Exception as error:
        return {"instructions": f"not told: {type(error).__name__}: {error}"}


def read_state(task: Task, path: str) -> State:
    """What a training starts from: parameters, and buffers if the file has any."""
    with np.load(path) as arrays:
        found = dict(arrays)
    buffers = {name: found.pop(name) for name in task.model.buffers() if name in found}
    return State(parameters=found, buffers=buffers)


def save(path: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Write an .npz whole or not at all."""
    part = Path(f"{path}.part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)
