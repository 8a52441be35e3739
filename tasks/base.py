"""A task: a model with its data, loss, optimizer and batch sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.parameters import uniform
from tasks.spec import CrossEntropy, ModelSpec, Optimizer


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples: inputs (samples, *input shape), float64, float32 to save memory, or int32 ids;
    targets int32, (samples,) or (samples, steps), of which those below 0 are left out of the loss;
    valid (samples, steps) bool where steps may be padding, else None.
    """

    inputs: NDArray[Any]
    targets: NDArray[np.int32]
    valid: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Any) -> Batch:
        """The samples at these positions."""
        valid = None if self.valid is None else self.valid[index]
        return Batch(inputs=self.inputs[index], targets=self.targets[index], valid=valid)

    def unlabelled(self) -> Batch:
        """The same with all targets 0: what a prediction is not given cannot enter it."""
        return replace(self, targets=np.zeros_like(self.targets))


@dataclass(frozen=True, kw_only=True)
class Splits:
    """A data set, divided once and for all; ``test`` is never used for a choice."""

    train: Batch
    validation: Batch
    test: Batch


class Data(Protocol):
    """Where samples come from. Only the coordinator loads them; workers get files. A set that is
    downloaded has a true ``downloaded`` too: its tasks run only when they are asked for.
    """

    @property
    def name(self) -> str:
        """What reports call it, e.g. ``digits 3x24x24``."""

    def load(self) -> Splits:
        """Read and preprocess; the same arrays every time."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model on one data set. ``batch_size`` is the recipe's, for training to the end;
    ``timed_batch_size`` is the one that throughput and memory are measured with. How long a
    training takes to a validation accuracy of ``target_accuracy`` is told.
    """

    name: str
    model: ModelSpec
    data: Data
    loss: CrossEntropy
    optimizer: Optimizer
    batch_size: int
    timed_batch_size: int
    epochs: int
    target_accuracy: float | None = None

    @property
    def family(self) -> str:
        """What stands before the size in the name: ``cnn`` of ``cnn-tiny``."""
        return self.name.partition("-")[0]


def probe_batch(task: Task, size: int, seed: int) -> Batch:
    """Random samples for parity: reals in [-1, 1) or ids of the whole vocabulary."""
    shape, vocabulary = task.model.input.shape, task.model.input.vocabulary
    values = uniform(seed, "batch.inputs", (size, *shape))
    classes = task.model.output_shape()[-1]
    targets = _below(classes, uniform(seed, "batch.targets", (size,)))
    return Batch(
        inputs=values if vocabulary is None else _below(vocabulary, values), targets=targets
    )


def _below(limit: int, values: NDArray[np.float64]) -> NDArray[np.int32]:
    return ((values + 1) / 2 * limit).astype(np.int32)


def batch_order(
    samples: int, batch_size: int, epochs: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """The positions of each batch, epoch by epoch, shuffled; an incomplete last batch is dropped.

    The same for every backend: sorts by random keys, one stream per epoch.
    """
    for epoch in range(epochs):
        order = np.argsort(uniform(seed, f"order.{epoch}", (samples,)), kind="stable")
        for start in range(0, samples - batch_size + 1, batch_size):
            yield order[start : start + batch_size]
