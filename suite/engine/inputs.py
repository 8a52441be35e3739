"""What workers are given: data, batch order and parameters of a task, as files, made once.

Every backend reads the same bytes. All reals are rounded to float32 first, so that both precisions
start from the same values.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine import probe_batches
from suite.engine.arrays import write
from suite.engine.fitting import misfit
from suite.errors import CommandError
from suite.files import writing
from suite.worker.private import without_private
from tasks.base import Batch, Splits, Task, batch_order
from tasks.codec import encode, portable
from tasks.parameters import Arrays, initial, probe, probe_buffers


class InputsError(CommandError):
    """Data that a task needs and that cannot be had."""


@dataclass(frozen=True)
class TaskInputs:
    """The files of one task and seed, written when first asked for."""

    task: Task
    seed: int
    folder: Path

    @cached_property
    def spec(self) -> Any:
        """The task as a worker's ``build`` takes it."""
        return encode(portable(self.task))

    @cached_property
    def without_dropout(self) -> TaskInputs:
        """The same of the model at rate 0, about which parity asks."""
        model = self.task.model.without_dropout()
        same = model is self.task.model
        return self if same else replace(self, task=replace(self.task, model=model))

    @cached_property
    def splits(self) -> Splits:
        """The data; InputsError if they cannot be loaded, do not fit, or do not make a batch."""
        task = self.task
        try:
            splits = task.data.load()
        except Exception as error:
            told = without_private(str(error))
            raise InputsError(f"the data of {task.name} cannot be loaded: {told}") from error
        for name, batch in vars(splits).items():
            if (wrong := misfit(task, batch)) is not None:
                raise InputsError(f"the data of {task.name} do not fit: of {name}, {wrong}")
        if len(splits.train) < task.batch_size:
            few = f"{len(splits.train)} training samples, fewer than its batch of {task.batch_size}"
            raise InputsError(f"{task.name} has {few}")
        return splits

    @cached_property
    def data(self) -> str:
        """train, validation, test, the two batches that parity looks at (probe_batches.py), and the
        order of the training's batches.
        """
        task, train = self.task, self.splits.train
        rows = [*batch_order(len(train), task.batch_size, task.epochs, self.seed)]
        own = probe_batches.own(task, train, rows[0])
        parts = {
            "train": train,
            "validation": self.splits.validation,
            "test": self.splits.test,
            "probe": probe_batches.random(task, own, self.seed),
            "own": own,
        }
        arrays = {f"{s}.{k}": a for s, b in parts.items() for k, a in _fields(b).items()}
        return self._write("data", arrays | {"order": np.stack(rows)})

    @cached_property
    def steps_per_epoch(self) -> int:
        """Optimizer steps in an epoch; an incomplete batch is left out."""
        return len(self.splits.train) // self.task.batch_size

    @cached_property
    def initial(self) -> str:
        """The parameters that training starts from, and buffers where there are weights."""
        weights = self.task.weights
        start = initial(self.task.model, self.seed) if weights is None else weights.load()
        return self._write("initial", _rounded(start))

    @cached_property
    def probe(self) -> str:
        """The parameters and buffers that parity looks at."""
        model, seed = self.task.model, self.seed
        return self._write("probe", _rounded(probe(model, seed) | probe_buffers(model, seed)))

    @cached_property
    def other(self) -> str:
        """Other random parameters and buffers: the probe's may be those that training starts from,
        and what was computed with those must show.
        """
        model, seed = self.task.model, self.seed + 1
        return self._write("other", _rounded(probe(model, seed) | probe_buffers(model, seed)))

    @cached_property
    def data_hash(self) -> str:
        """Twelve hexadecimal digits of the samples as the workers get them."""
        digest = hashlib.sha256()
        for batch in (self.splits.train, self.splits.validation, self.splits.test):
            for name, array in _fields(batch).items():
                digest.update(f"{name} {array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:12]

    def _write(self, name: str, arrays: dict[str, NDArray[Any]]) -> str:
        """Whole when it gets its name: two threads may ask at once, and cached_property has had no
        lock since Python 3.12.
        """
        path = self.folder / f"{self.task.name}-{self.seed}-{name}.npz"
        with writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
        return write(path, arrays)


def _fields(batch: Batch) -> dict[str, NDArray[Any]]:
    return {name: _float32(array) for name, array in batch.arrays().items()}


def _rounded(parameters: Arrays) -> dict[str, NDArray[Any]]:
    return {path: _float32(np.asarray(array, np.float64)) for path, array in parameters.items()}


def _float32(array: NDArray[Any]) -> NDArray[Any]:
    """Values of float64 as float32 has them."""
    wide = array.dtype == np.float64
    return array.astype(np.float32).astype(np.float64) if wide else array
