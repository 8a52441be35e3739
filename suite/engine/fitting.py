"""Whether a task's data are what its model takes, before any worker is given them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Task
from tasks.spec import CTC, CrossEntropy, Input


def misfit(task: Task, batch: Batch) -> str | None:
    """The first thing that does not fit, as a sentence; None if all does."""
    return next(_misfits(task, batch), None)


def _misfits(task: Task, batch: Batch) -> Iterator[str]:
    inputs, model = task.model.every_input, task.model
    given = batch.inputs if isinstance(batch.inputs, dict) else {"": batch.inputs}
    if given.keys() != inputs.keys():
        yield f"the inputs are {_told(given)}, they must be {_told(inputs)}"
        return
    for name, one in inputs.items():
        yield from _of_input(f"inputs {name}".strip(), one, given[name], len(batch))
    masks = batch.valid if isinstance(batch.valid, dict) else {"": batch.valid}
    for name, mask in masks.items():
        if mask is None:
            continue
        if name not in inputs:
            yield f"valid names {_told([name])}, the inputs are {_told(inputs)}"
            continue
        wanted = (len(batch), *inputs[name].shape[:1])
        if mask.dtype != np.bool_ or mask.shape != wanted:
            what = f"valid {name}".strip()
            yield f"{what} is {mask.dtype} {mask.shape}, it must be bool {wanted}"
    if isinstance(task.loss, CrossEntropy):
        *steps, classes = model.output_shape()
        yield from _ids("targets", batch.targets, (len(batch), *steps), classes, None)

    if isinstance(task.loss, CTC):
        yield from _labels(task, task.loss, batch)


def _labels(task: Task, loss: CTC, batch: Batch) -> Iterator[str]:
    """Labels that CTC can write: behind each other, none of them the blank, with room for all."""
    targets = batch.targets
    *_, classes = task.model.output_shape()
    if targets.ndim != 2 or len(targets) != len(batch):
        wanted = f"whole numbers ({len(batch)}, labels)"
        yield f"targets is {targets.dtype} {targets.shape}, it must be {wanted}"
        return
    yield from _ids("targets", targets, targets.shape, classes, None)
    there = targets >= 0
    if (there[:, 1:] & ~there[:, :-1]).any():
        yield "targets has a label behind padding, it must be in front of it"
    if (targets == loss.blank).any():
        yield f"targets has {loss.blank}, which is the blank"
    given = batch.valid if isinstance(batch.valid, dict) else {"": batch.valid}
    end = task.model.places()[-1]
    valid = task.model.valid(given)[end.path]
    room = np.full(len(batch), end.output_shape[0]) if valid is None else valid.sum(axis=1)
    needed = there.sum(axis=1) + (there[:, 1:] & (targets[:, 1:] == targets[:, :-1])).sum(axis=1)
    if (needed > room).any():
        row = int(np.argmax(needed > room))
        yield f"sample {row} has {room[row]} valid steps, its labels need {needed[row]}"


def _of_input(what: str, given: Input, array: NDArray[Any], samples: int) -> Iterator[str]:
    shape = (samples, *given.shape)
    if given.vocabulary is not None:
        yield from _ids(what, array, shape, given.vocabulary, 0)
    elif array.shape != shape or not np.issubdtype(array.dtype, np.floating):
        yield f"{what} is {array.dtype} {array.shape}, it must be real {shape}"


def _ids(
    what: str, array: NDArray[Any], shape: tuple[int, ...], count: int, least: int | None
) -> Iterator[str]:
    if array.shape != shape or not np.issubdtype(array.dtype, np.integer):
        yield f"{what} is {array.dtype} {array.shape}, it must be whole numbers {shape}"
    elif array.size and array.max() >= count:
        yield f"{what} has {array.max()}, it must be below {count}"
    elif array.size and least is not None and array.min() < least:
        yield f"{what} has {array.min()}, it must be at least {least}"


def _told(names: Mapping[str, Any] | list[str]) -> str:
    return ", ".join(name or "one without a name" for name in names) or "none"
