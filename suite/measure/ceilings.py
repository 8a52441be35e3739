"""The highest rates that a device shows: of matrix multiplication and of copying.

They are measured by what times everything else, in the workers of the first launch and after its
comparisons, one at a time:

    matmul  ``predict`` of a model of linear layers, n inputs to n outputs: the framework's own
            product in the configuration's precision, 2 n² operations a sample and layer (the bias
            is not counted). n grows while the next size promises to be short; the best block
            counts. On the CPU one layer and a batch of n. On a GPU four layers and 8 n, beside
            which it does not count that parameters, inputs and outputs are float32: with one layer
            and n an H100 had 491 TFLOP/s in bfloat16, of which its products alone take 789.
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

from suite.engine.job import Job, Sink, Unusable
from suite.engine.pool import WorkerPool
from suite.engine.remote import RemoteBackend
from suite.files import writing
from suite.measure import repeats
from suite.measure.validity import JUMPED, LATE, jumped, late
from suite.plan.configurations import Configuration
from suite.records.schema import CeilingRecord
from suite.worker import waiting
from suite.worker.client import Program
from tasks.codec import bare, encode, portable
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
COST_SECONDS = 2.5  # of a configuration
FLOAT_BYTES = 4
SAMPLES = 16  # that are drawn, and repeated to a batch; constants need less power on a GPU
DRAWN = 1021  # parameters; a prime, so that no two rows are alike


Measure = Callable[[RemoteBackend, Sink], None]


def jobs(
    configurations: Sequence[Configuration], files: Path, trusts: Callable[[str], bool]
) -> tuple[Job, ...]:
    """A job per configuration in which something is measured, left out where the backend is not
    trusted by then. What fails there costs its ceilings alone.
    """

    def job(configuration: Configuration, measures: Sequence[Measure]) -> Job:
        def run(pool: WorkerPool, sink: Sink) -> None:
            if not trusts(configuration.backend):
                return
            backend = RemoteBackend(pool, configuration, files)
            for measure in measures:
                with sink.failures("ceiling", pool, configuration):
                    measure(backend, sink)

        return Job(
            id="/".join(["ceiling", *configuration.named.values()]),
            label=f"ceilings of the {configuration.device} as {configuration.backend} reaches them",
            cost_seconds=COST_SECONDS,
            run=run,
        )

    wanted: dict[Configuration, list[Measure]] = {}
    for configuration in map(_plain, configurations):
        wanted.setdefault(configuration, [matmul])
    copying = [c if c.device == "cpu" else replace(c, precision="float32") for c in wanted]
    for configuration in dict.fromkeys(copying):
        wanted.setdefault(configuration, []).append(copy)
    return tuple(job(*each) for each in wanted.items())


def _plain(configuration: Configuration) -> Configuration:
    """The configuration in which products are measured."""
    eager = configuration.device != "cpu" and "eager" in configuration.adapter.executions
    return replace(configuration, execution="eager") if eager else configuration


def matmul(backend: RemoteBackend, sink: Sink) -> None:
    """A record per size. Raises what Worker.call raises."""
    device = backend.configuration.device
    layers, rows = LAYERS[device], ROWS[device]
    for size in MATRICES:
        layer = Linear(in_features=size, out_features=size)
        found = _steps(backend, (layer,) * layers, size, rows * size)
        operations = 2 * layers * rows * size**3
        _emit(backend, sink, "matmul", f"{rows * size} × {size}", operations, found)
        if 8 * min(found) > LONG_SECONDS:  # twice the size is eight times the work
            return


def copy(backend: RemoteBackend, sink: Sink) -> None:
    """As the processor copies on the CPU, whatever the framework; elsewhere as an element-wise
    layer does. Raises what Worker.call raises.
    """
    device = backend.configuration.device
    size = COPIED_BYTES[device]
    if device == "cpu":
        how, found = "by NumPy", backend.client.copy(size, 2 * REPEATS)
    else:
        rows = size // (FLOAT_BYTES * COLUMNS)
        how, found = "by ReLU", _steps(backend, (ReLU(),), COLUMNS, rows)
    _emit(backend, sink, "copy", how, 2 * size, found)


def _steps(backend: RemoteBackend, layers: Sequence[Layer], width: int, rows: int) -> list[float]:
    """Seconds of a step of these layers, block by block."""
    model = ModelSpec(
        name=f"ceiling-{type(layers[0]).__name__}-{rows}x{width}",
        input=Input(shape=(width,)),
        layers=tuple((str(place), layer) for place, layer in enumerate(layers)),
    )
    task = bare(model, SGD(learning_rate=0.1), rows)
    drawn = uniform(0, model.name, (SAMPLES, width)).astype(np.float32)
    start = _write(
        backend, "start", {path: _filled(p.shape) for path, p in model.parameters().items()}
    )
    samples = {"train.inputs": drawn, "train.targets": np.zeros(SAMPLES, np.int32)}
    program = backend.client.build(model.name, encode(portable(task)), start)
    program.load(_write(backend, "data", samples | {"order": np.zeros((0, rows), np.int64)}))
    block = partial(_block, program, rows)
    once = [block(steps) for steps in WARMUP_STEPS][-1]
    steps = max(1, ceil(BLOCK_SECONDS / once)) if once else 1
    found = [seconds for _ in range(REPEATS) if (seconds := block(steps)) is not None]
    why = None
    if found and width == MATRICES[0]:  # looked at once, where it is cheap
        why = waiting.check(partial(program.waits, "infer", rows))
        why = why or repeats.fault(repeats.look(program, "infer", rows, min(found)))
    backend.client.drop(model.name)
    if why is not None:
        raise Unusable(why)
    if not found:
        raise Unusable(f"none of the {REPEATS} blocks of {model.name} counts: {JUMPED}, or {LATE}")
    return found


def _filled(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Random values, repeated: a file of them is small."""
    return np.resize(uniform(0, "ceiling", (DRAWN,)), shape).astype(np.float32)


def _write(backend: RemoteBackend, what: str, arrays: dict[str, NDArray[Any]]) -> str:
    path = backend.path(f"ceiling-{what}")
    with writing(Path(path)):
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def _block(program: Program, size: int, steps: int) -> float | None:
    """Seconds of a step; None where the block does not count."""
    times = program.block("infer", size, steps)
    return None if jumped(times) or late(times) else times.seconds / steps


def _emit(
    backend: RemoteBackend, sink: Sink, what: str, how: str, amount: int, seconds: list[float]
) -> None:
    told = {"what": what, "how": how, "amount": amount, "step_seconds": seconds}
    sink.emit(CeilingRecord, **told, **backend.configuration.named)
