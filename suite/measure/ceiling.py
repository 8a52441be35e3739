"""The highest rates that a device shows: of matrix multiplication and of copying.

They are measured by what times everything else, in the workers of the first launch and after its
comparisons, one at a time:

    matmul  ``predict`` of a model of one linear layer, n inputs to n outputs, for a batch of n: the
            framework's own product in the lane's precision, 2 n³ operations (the bias is not
            counted). n grows while the next size promises to be short; the best block counts.
    copy    bytes read plus bytes written. On the CPU by NumPy in the worker, with a thread for each
            core, into memory that was written before; elsewhere ``predict`` of a model of one ReLU.

The ceiling is the device's and not a framework's: the best that any backend of the run reached.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.measure.void import Stopwatch
from suite.plan import Lane
from suite.store.schema import CeilingRecord, FailureRecord
from suite.store.writing import writing
from suite.subject import Subject, bare
from suite.work import FAILURES, Sink, Unit, Unusable, status_of
from tasks.codec import encode, portable
from tasks.parameters import uniform
from tasks.spec import SGD, Input, Layer, Linear, ModelSpec, ReLU

MATRICES = (1024, 2048, 4096)  # rows and columns
LONG_SECONDS = 0.25  # a product that promises to take longer is not tried
# An array; with its copy twice the last cache of most processors. Of 64 MiB an H100 copied 2.7 TB a
# second, of 512 MiB 3.0, of 1 GiB 3.0.
COPIED_BYTES = {"cpu": 64 << 20, "cuda": 512 << 20}
COLUMNS = 4096  # of the array that a ReLU copies
BLOCK_SECONDS = 0.05
REPEATS = 5
WARMUP_STEPS = (1, 2)  # the first compiles
COST_SECONDS = 2.5  # of a lane
ITEM_BYTES = {"float64": 8, "float32": 4, "tf32": 4, "bfloat16": 2}
SAMPLES = 16  # that are drawn, and repeated to a batch; constants need less power on a GPU
DRAWN = 1021  # parameters; a prime, so that no two rows are alike


def units(lanes: Sequence[Lane], files: Path) -> tuple[Unit, ...]:
    """A unit per lane. What fails there costs its ceilings alone."""
    return tuple(_unit(lane, files) for lane in lanes)


def _unit(lane: Lane, files: Path) -> Unit:
    name = lane.arm.name

    def do(crew: Crew, sink: Sink) -> None:
        subject = Subject(crew, lane, files)
        copying = COPYING.get(lane.device, copy_by_program)
        for measure in (matmul, copying):
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
                )

    return Unit(
        name="/".join(("ceiling", name, lane.execution, lane.precision, lane.device)),
        what=f"ceilings of the {lane.device} as {name} reaches them",
        cost_seconds=COST_SECONDS,
        do=do,
    )


def matmul(subject: Subject, sink: Sink) -> None:
    """A record per size. Raises what Worker.call raises."""
    for size in MATRICES:
        layer = Linear(in_features=size, out_features=size)
        found = _steps(subject, layer, size, size)
        _emit(subject.lane, sink, "matmul", f"{size} × {size}", 2 * size**3, found)
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
    rows = size // (ITEM_BYTES[subject.lane.precision] * COLUMNS)
    found = _steps(subject, ReLU(), COLUMNS, rows)
    _emit(subject.lane, sink, "copy", "by ReLU", 2 * size, found)


COPYING: dict[str, Callable[[Subject, Sink], None]] = {"cpu": copy_by_numpy}


def _steps(subject: Subject, layer: Layer, width: int, rows: int) -> list[float]:
    """Seconds of a step of this layer alone, block by block."""
    model = ModelSpec(
        name=f"ceiling-{type(layer).__name__}-{rows}x{width}",
        input=Input(shape=(width,)),
        layers=(("only", layer),),
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
    subject.call("drop", task=model.name)
    if not found:
        raise Unusable(f"the clock jumped in all {REPEATS} blocks of {model.name}")
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
    """Seconds of a step; None where a clock jumped."""
    answer = subject.call("block", task=task, phase="infer", steps=steps)
    seen = Stopwatch(*(answer[name] for name in Stopwatch._fields))
    return None if seen.jumped else seen.seconds / steps


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
