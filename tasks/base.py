"""A task: a model with its data, loss, optimizer and batch sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import InitVar, dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.parameters import ids, uniform
from tasks.spec import CTC, Input, Loss, ModelSpec, Optimizer


def each(change: Callable[[Any], Any], x: Any) -> Any:
    """One value changed, or each of several: of a tuple, or by name in a dict. None stays None."""
    if isinstance(x, tuple):
        return tuple(each(change, one) for one in x)
    if isinstance(x, dict):
        return {name: each(change, one) for name, one in x.items()}
    return None if x is None else change(x)


Score = Literal["accuracy", "bits_per_byte", "token_accuracy", "error_rate"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Samples: inputs (samples, *input shape), float64, float32 to save memory, or int32 ids;
    targets int32, (samples,) or (samples, steps), of which those below 0 are left out of the loss,
    or the (samples, labels) that CTC takes;
    valid (samples, steps) bool where steps may be padding, else None. Where the model's inputs have
    names, inputs are by name, and so is valid: of those that may be padded. ``target_valid``, bool
    of the targets' shape, leaves out others: they become -1.
    """

    inputs: Any
    targets: NDArray[np.int32]
    valid: Any = None
    target_valid: InitVar[NDArray[np.bool_] | None] = None

    def __post_init__(self, target_valid: NDArray[np.bool_] | None) -> None:
        if target_valid is not None:
            kept = np.where(target_valid, self.targets, -1).astype(self.targets.dtype)
            object.__setattr__(self, "targets", kept)

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, index: Any) -> Batch:
        """The samples at these positions."""
        parts = (self.inputs, self.targets, self.valid)
        inputs, targets, valid = each(lambda array: array[index], parts)
        return Batch(inputs=inputs, targets=targets, valid=valid)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as files hold it: ``inputs``, or ``inputs.NAME`` of each, and so on."""
        found: dict[str, NDArray[Any]] = {}
        for part, value in vars(self).items():
            if isinstance(value, dict):
                found |= {f"{part}.{name}": array for name, array in value.items()}
            elif value is not None:
                found[part] = value
        return found

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Batch:
        """The inverse of ``arrays``."""
        parts: dict[str, Any] = {}
        for key, array in arrays.items():
            part, _, name = key.partition(".")
            if name:
                parts.setdefault(part, {})[name] = array
            else:
                parts[part] = array
        return cls(**parts)

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
    downloaded has a true ``downloaded`` too: its tasks run only when they are asked for. One that
    knows how many training samples it has tells them as ``train``.
    """

    @property
    def name(self) -> str:
        """What reports call it, e.g. ``digits 3x24x24``."""

    def load(self) -> Splits:
        """Read and preprocess; the same arrays every time."""


class Weights(Protocol):
    """What a task starts from in place of random numbers."""

    @property
    def name(self) -> str:
        """What reports call it."""

    def load(self) -> dict[str, NDArray[Any]]:
        """Parameters and buffers by path; the same arrays every time."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One model on one data set. ``batch_size`` is the recipe's, for training to the end;
    ``timed_batch_size`` is the one that throughput and memory are measured with. How long a
    training takes to a validation accuracy of ``target_accuracy`` is told. ``score`` is what
    trainings are compared by: the share of targets that is guessed, be they of samples or the
    tokens of a text, of a language model the cross-entropy in bits, or with CTC the label error
    rate. One of ``real_size`` takes minutes where others take seconds: it runs only when it is
    asked for. One ``on_request`` is in no profile. It starts from ``weights``, or else from random
    parameters.
    """

    name: str
    model: ModelSpec
    data: Data
    loss: Loss
    optimizer: Optimizer
    batch_size: int
    timed_batch_size: int
    epochs: int
    target_accuracy: float | None = None
    score: Score = "accuracy"
    real_size: bool = False
    on_request: bool = False
    weights: Weights | None = None

    @property
    def family(self) -> str:
        """What stands before the size in the name: ``cnn`` of ``cnn-tiny``."""
        return self.name.partition("-")[0]

    def lasting(self, epochs: int) -> Task:
        """The recipe over so many epochs: milestones, and the end of a rate's decay, stay at their
        shares of the way; the warm-up stays as it is.
        """
        share, made = epochs / self.epochs, self.optimizer
        milestones: list[int] = []
        for step in made.milestones:
            milestones.append(max(round(share * step), 1 + max(milestones, default=0)))
        last = made.decay_steps
        if last is not None:
            last = max(round(share * last), 1 + made.warmup_steps)
        made = replace(made, milestones=tuple(milestones), decay_steps=last)
        return replace(self, epochs=epochs, optimizer=made)


def probe_batch(task: Task, size: int, seed: int) -> Batch:
    """Random samples for parity: reals in [-1, 1) or ids of the whole vocabulary. Of a model that
    predicts at every step an eighth of the targets is below 0. With CTC sample n has n labels, but
    no more than half of the steps.
    """

    def drawn(name: str, given: Input) -> NDArray[Any]:
        stream, shape = f"batch.inputs{name}", (size, *given.shape)
        if given.vocabulary is None:
            return uniform(seed, stream, shape)
        return ids(seed, stream, shape, given.vocabulary)

    model = task.model
    inputs: Any = {name: drawn(f".{name}", given) for name, given in model.inputs.items()}
    if model.input is not None:
        inputs = drawn("", model.input)
    *steps, classes = model.output_shape()
    if isinstance(task.loss, CTC):
        most = steps[0] // 2
        targets = probe_labels(task.loss, classes, (size, most), seed)
        targets[np.arange(most) >= np.arange(size)[:, None] % (most + 1)] = -1
        return Batch(inputs=inputs, targets=targets)
    targets = ids(seed, "batch.targets", (size, *steps), classes)
    if steps:
        targets[uniform(seed, "batch.left out", targets.shape) < -0.75] = -1
    return Batch(inputs=inputs, targets=targets)


def probe_labels(loss: CTC, classes: int, shape: tuple[int, int], seed: int) -> NDArray[np.int32]:
    """Random labels (samples, labels): none is the blank, and none, where there are three classes,
    is the one before it, so that they fit in as many steps.
    """
    turns = ids(seed, "batch.targets", shape, max(classes - 2, 1))
    places = (turns + 1).cumsum(axis=1) % (classes - 1)  # each one a step away from the one before
    return np.asarray((loss.blank + 1 + places) % classes, np.int32)


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
