"""The batches that parity looks at: random samples, and samples of the task's own.

Neither has the size of the recipe's batches, so that a mean over that constant in place of the
number of samples shows; both have one shape, so that programs are compiled for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Task, probe_batch, probe_labels
from tasks.spec import CTC

Rows = NDArray[np.intp]


def size(task: Task) -> int:
    """The greatest odd number below the recipe's batch size that is none of the task's sizes; for
    the smallest batches the least number above 1 that is not.
    """
    taken = {task.batch_size, task.timed_batch_size}
    below = (n for n in range(task.batch_size - 1, 1, -1) if n % 2)
    return next(n for n in chain(below, range(2, 6)) if n not in taken)


def own(task: Task, train: Batch, first: Rows) -> Batch:
    """Training samples: those of the ``first`` batch in turn with the most unusual ones, so that
    padding, great values, rare ids and rare classes are among them.
    """
    wanted: dict[int, None] = {}
    for row in chain.from_iterable(zip_longest(first, *_unusual(train))):
        if row is not None and len(wanted) < size(task):
            wanted[int(row)] = None
    return train.take(np.array([*wanted]))


def random(task: Task, like: Batch, seed: int) -> Batch:
    """Random samples, padded as these samples of the task's own are; with CTC they have as many
    labels too, which fit in the valid steps.
    """
    found = replace(probe_batch(task, len(like), seed), valid=like.valid)
    if not isinstance(task.loss, CTC):
        return found
    *_, classes = task.model.output_shape()
    labels = probe_labels(task.loss, classes, like.targets.shape, seed)
    return replace(found, targets=np.where(like.targets < 0, np.int32(-1), labels))


def _unusual(train: Batch) -> Iterator[Rows]:
    """Rows by how unusual they are, in each way."""
    for name, array in train.arrays().items():
        flat = array.reshape(len(train), -1)
        if array.dtype == np.bool_:
            yield np.argsort(flat.sum(axis=1), kind="stable")
        elif name == "targets" and array.ndim == 1:
            yield np.argsort(-_rarity(array), kind="stable")
        elif np.issubdtype(array.dtype, np.integer):
            yield np.argsort(-_rarity(flat).max(axis=1), kind="stable")
        else:
            yield np.argsort(-np.maximum(flat.max(axis=1), -flat.min(axis=1)), kind="stable")


def _rarity(ids: NDArray[np.int32]) -> NDArray[np.float64]:
    """How rare each id is among all."""
    _, which, counts = np.unique(ids, return_inverse=True, return_counts=True)
    rare: NDArray[np.float64] = (1 / counts)[which].reshape(ids.shape)
    return rare
