"""What a worker holds between requests, and what it can be asked by name."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, Program, State
from suite.machine import memory
from suite.worker import fresh
from tasks.base import Batch, Task

Operation = Callable[..., Any]
Kind = TypeVar("Kind", bound=Operation)
OPERATIONS: dict[str, Operation] = {}


@dataclass
class Bench:
    """One task in this worker: its program, its data on the host, the batch on the device that is
    timed, and what fresh batches are drawn from; ``source`` tells the data's file.
    """

    task: Task
    program: Program
    data: dict[str, Batch] = field(default_factory=dict)
    source: tuple[str, int, int, int] | None = None
    order: NDArray[np.int64] | None = None
    placed: tuple[int, Any] | None = None
    pool: fresh.Pool | None = None

    def timed(self, size: int) -> Any:
        """The batch of this size that is timed, on the device since it was first asked for:
        training samples, repeated if need be.
        """
        if self.placed is None or self.placed[0] != size:
            samples = self.data["train"]
            batch = self.program.put(samples.take(fresh.rows(len(samples), size)))
            self.program.wait()
            self.placed = (size, batch)
        return self.placed[1]

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


def operation(function: Kind) -> Kind:
    """Make a function callable by the coordinator under its own name."""
    OPERATIONS[function.__name__] = function
    return function


def large_operation(function: Kind) -> Kind:
    """The same for one whose arrays may be large; the memory that it no longer uses is given back.
    Nothing is timed right after it.
    """

    @wraps(function)
    def lean(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        finally:
            memory.give_back()

    operation(lean)
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


def read_state(task: Task, path: str, seed: int | None = None) -> State:
    """What a training starts from: parameters, and buffers if the file has any. Without a ``seed``
    a program keeps the one that it has.
    """
    with np.load(path) as arrays:
        found = dict(arrays)
    buffers = {name: found.pop(name) for name in task.model.buffers() if name in found}
    return State(parameters=found, buffers=buffers, seed=seed if task.model.random else None)


def save(path: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Write an .npz whole or not at all."""
    part = Path(f"{path}.part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def everything(state: State) -> dict[str, NDArray[Any]]:
    """All that training changes, by part/path."""
    arrays = {f"parameters/{name}": array for name, array in state.parameters.items()}
    arrays |= {f"buffers/{name}": array for name, array in state.buffers.items()}
    for owner, moments in state.moments.items():
        arrays |= {f"moments/{owner}/{name}": array for name, array in moments.items()}
    if state.seed is not None:
        arrays["seed"] = np.array(state.seed)
    return arrays | {"step": np.array(state.step)}
