"""The highest rates that a device shows: of matrix multiplication and of copying.

They are measured by what times everything else, in the workers of the first launch and after its
comparisons, one at a time:

    matmul  ``predict`` of a model of linear layers, n inputs to n outputs: the framework's own
            product in the lane's precision, 2 n² operations a sample and layer (the bias is not
            counted). n grows while the next size promises to be short; the best block counts. On
            the CPU one layer and a batch of n. On a GPU four layers and 8 n, beside which it does
            not count that parameters, inputs and outputs are float32: with one layer and n an H100
            had 491 TFLOP/s in bfloat16, of which its products alone take 789.
    copy    bytes read plus bytes written. On the CPU by NumPy in the worker, with a thread for each
            core, into memory that was written before; elsewhere ``predict`` of a model of one ReLU
            in float32.

On a GPU by eager execution where there is one, since CUDA graphs copy what goes in and what comes
out: an H100 so copied 0.47 instead of 3.0 TB/s. The ceiling is the device's and not a framework's:
the best that any backend of the run reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.measure import repeats, waiting
from suite.measure.void import JUMPED, LATE, Stopwatch
from suite.plan import Lane
from suite.store.schema import CeilingRecord, FailureRecord
from suite.store.writing import writing
from suite.subject import Subject, bare
from suite.work import FAILURES, Sink, Unit, Unusable, status_of
from tasks.codec import encode, portable
from tasks.parameters import uniform
from tasks.spec import SGD, Input, Layer, Linear, ModelSpec, ReLU

MATRICES = (1024, 2048, 4096)  # rows and columns
LAYERS = {"cpu": 1, "cuda": 4}
ROWS = {"cpu": 1, "cuda": 8}  # of the batch, for each column of the matrix
LONG_SECONDS = 0.25  # a product that promises to take longer is not tried
# An array; with its copy twice the last cache of most processors. Of 64 MiB an H100 copied 2.7 TB a
# second, of 512 MiB 3.0, of 1 GiB 3.0.
COPIED_BYTES = {"cpu": 64 << 20, "cuda": 512 << 20}
COLUMNS = 4096  # of the array that a ReLU copies
BLOCK_SECONDS = 0.05
REPEATS = 5
WARMUP_STEPS = (1, 2)  # the first compiles
COST_SECONDS = 2.5  # of a lane
FLOAT_BYTES = 4
SAMPLES = 16  # that are drawn, and repeated to a batch; constants need less power on a GPU
DRAWN = 1021  # parameters; a prime, so that no two rows are alike


Measure = Callable[[Subject, Sink], None]


def units(lanes: Sequence[Lane], files: Path, trusts: Callable[[str], bool]) -> tuple[Unit, ...]:
    """A unit per lane in which something is measured, left out where the backend is not trusted by
    then. What fails there costs its ceilings alone.
    """
    wanted: dict[Lane, list[Measure]] = {}
    for lane in dict.fromkeys(map(_plain, lanes)):
        wanted.setdefault(lane, []).append(matmul)
    for lane in dict.fromkeys(map(_copying, wanted)):
        wanted.setdefault(lane, []).append(COPYING.get(lane.device, copy_by_program))
    return tuple(_unit(lane, measures, files, trusts) for lane, measures in wanted.items())


def _plain(lane: Lane) -> Lane:
    """The lane in which products are measured."""
    eager = lane.device != "cpu" and "eager" in lane.arm.adapter.executions
    return replace(lane, execution="eager") if eager else lane


def _copying(lane: Lane) -> Lane:
    """The lane in which copying is measured."""
    return lane if lane.device == "cpu" else replace(lane, precision="float32")


def _unit(
    lane: Lane, measures: Sequence[Measure], files: Path, trusts: Callable[[str], bool]
) -> Unit:
    name = lane.arm.name

    def do(crew: Crew, sink: Sink) -> None:
        if not trusts(name):
            return
        subject = Subject(crew, lane, files)
        for measure in measures:
            try:
                measure(subject, sink)
            except FAILURES as error:
                crew.lose(lane)
                sink.emit(
                    FailureRecord,
                    stage="ceiling",
                    status=status_of(error),
                    reason=str(error),
                    backend=name,
                    execution=lane.execution,
                    precision=lane.precision,
                )

    return Unit(
        name="/".join(("ceiling", name, lane.execution, lane.precision, lane.device)),
        what=f"ceilings of the {lane.device} as {name} reaches them",
        cost_seconds=COST_SECONDS,
        do=do,
    )


def matmul(subject: Subject, sink: Sink) -> None:
    """A record per size. Raises what Worker.call raises."""
    device = subject.lane.device
    layers, rows = LAYERS[device], ROWS[device]
    for size in MATRICES:
        layer = Linear(in_features=size, out_features=size)
        found = _steps(subject, (layer,) * layers, size, rows * size)
        operations = 2 * layers * rows * size**3
        _emit(subject.lane, sink, "matmul", f"{rows * size} × {size}", operations, found)
        if 8 * min(found) > LONG_SECONDS:  # twice the size is eight times the work
            return


def copy_by_numpy(subject: Subject, sink: Sink) -> None:
    """As the processor copies, whatever the framework. Raises what Worker.call raises."""
    size = COPIED_BYTES[subject.lane.device]
    found = subject.call("copy", size_bytes=size, repeats=2 * REPEATS)
    _emit(subject.lane, sink, "copy", "by NumPy", 2 * size, found)


def copy_by_program(subject: Subject, sink: Sink) -> None:
    """As an element-wise layer copies. Raises what Worker.call raises."""
    size = COPIED_BYTES[subject.lane.device]
    found = _steps(subject, (ReLU(),), COLUMNS, size // (FLOAT_BYTES * COLUMNS))
    _emit(subject.lane, sink, "copy", "by ReLU", 2 * size, found)


COPYING: dict[str, Measure] = {"cpu": copy_by_numpy}


def _steps(subject: Subject, layers: Sequence[Layer], width: int, rows: int) -> list[float]:
    """Seconds of a step of these layers, block by block."""
    model = ModelSpec(
        name=f"ceiling-{type(layers[0]).__name__}-{rows}x{width}",
        input=Input(shape=(width,)),
        layers=tuple((str(place), layer) for place, layer in enumerate(layers)),
    )
    task = bare(model, SGD(learning_rate=0.1), rows)
    drawn = uniform(0, model.name, (SAMPLES, width)).astype(np.float32)
    start = _write(
        subject, "start", {path: _filled(p.shape) for path, p in model.parameters().items()}
    )
    samples = {"train.inputs": drawn, "train.targets": np.zeros(SAMPLES, np.int32)}
    data = _write(subject, "data", samples | {"order": np.zeros((0, rows), np.int64)})
    subject.call("build", task=encode(portable(task)), parameters=start)
    subject.call("load", task=model.name, path=data)
    subject.call("place", task=model.name, size=rows)
    block = partial(_block, subject, model.name)
    once = [block(steps) for steps in WARMUP_STEPS][-1]
    steps = max(1, ceil(BLOCK_SECONDS / once)) if once else 1
    found = [seconds for _ in range(REPEATS) if (seconds := block(steps)) is not None]
    why = None
    if found and width == MATRICES[0]:  # looked at once, where it is cheap
        why = waiting.check(subject.call, model.name, "infer")
        why = why or repeats.remembered(repeats.look(subject.call, model.name, min(found)))
    subject.call("drop", task=model.name)
    if why is not None:
        raise Unusable(why)
    if not found:
        raise Unusable(f"none of the {REPEATS} blocks of {model.name} counts: {JUMPED}, or {LATE}")
    return found


def _filled(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Random values, repeated: a file of them is small."""
    return np.resize(uniform(0, "ceiling", (DRAWN,)), shape).astype(np.float32)


def _write(subject: Subject, what: str, arrays: dict[str, NDArray[Any]]) -> str:
    path = subject.path(f"ceiling-{what}")
    with writing(Path(path)):
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def _block(subject: Subject, task: str, steps: int) -> float | None:
    """Seconds of a step; None where the block does not count."""
    answer = subject.call("block", task=task, phase="infer", steps=steps)
    seen = Stopwatch(*(answer[name] for name in Stopwatch._fields))
    return None if seen.jumped or seen.late else seen.seconds / steps


def _emit(lane: Lane, sink: Sink, what: str, how: str, amount: int, seconds: list[float]) -> None:
    sink.emit(
        CeilingRecord,
        what=what,
        how=how,
        backend=lane.arm.name,
        execution=lane.execution,
        precision=lane.precision,
        device=lane.device,
        amount=amount,
        step_seconds=seconds,
    )
