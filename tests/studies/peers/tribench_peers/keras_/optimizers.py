"""Specs to Keras's optimizers."""

from __future__ import annotations

from functools import singledispatch
from math import prod
from typing import Any

import keras
import numpy as np
from keras import optimizers
from keras.optimizers.schedules import (
    LearningRateSchedule,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

from backends.base import NotSupported
from backends.schedules import rate
from tasks import spec
from tasks.base import Task


@singledispatch
def optimizer(optimizer: spec.Optimizer) -> optimizers.Optimizer:
    raise NotSupported(f"Keras has no optimizer {type(optimizer).__name__}")


@optimizer.register
def _(optimizer: spec.SGD) -> optimizers.Optimizer:
    return optimizers.SGD(
        schedule(optimizer),
        momentum=np.float64(optimizer.momentum),  # of a Python float TensorFlow makes float32
        nesterov=optimizer.nesterov,
        weight_decay=optimizer.weight_decay or None,
        global_clipnorm=optimizer.clip_norm,
    )


@optimizer.register
def _(optimizer: spec.AdamW) -> optimizers.Optimizer:
    kind = optimizers.AdamW if optimizer.weight_decay else optimizers.Adam
    return kind(
        schedule(optimizer),
        beta_1=optimizer.beta1,
        beta_2=optimizer.beta2,
        epsilon=optimizer.epsilon,
        weight_decay=optimizer.weight_decay or None,
        global_clipnorm=optimizer.clip_norm,
    )


class Product(LearningRateSchedule):
    """Several schedules multiplied."""

    def __init__(self, *parts: LearningRateSchedule) -> None:
        self.parts = parts

    def __call__(self, step: Any) -> Any:
        return prod(part(step) for part in self.parts)


class Decay(LearningRateSchedule):
    """A rate that decays, of steps counted from 0."""

    def __init__(self, given: spec.Optimizer) -> None:
        self.given = given

    def __call__(self, step: Any) -> Any:
        return rate(self.given, keras.ops.cast(step, keras.config.floatx()) + 1, keras.ops)


def schedule(given: spec.Optimizer) -> float | LearningRateSchedule:
    """The rate, with its warm-up, decay and milestones; Keras counts steps from 0."""
    if given.schedule != "constant":
        return Decay(given)
    last, peak, parts = given.warmup_steps - 1, given.learning_rate, list[LearningRateSchedule]()
    if last > 0:
        parts.append(PolynomialDecay(peak / given.warmup_steps, last, end_learning_rate=peak))
    if given.milestones:
        first = 1.0 if parts else peak
        values = [first * 0.1**number for number in range(len(given.milestones) + 1)]
        parts.append(PiecewiseConstantDecay([step - 1 for step in given.milestones], values))
    return Product(*parts) if len(parts) > 1 else parts[0] if parts else peak


@singledispatch
def rule(optimizer: spec.Optimizer) -> list[str]:
    """Where Keras's update is another."""
    return []


@rule.register
def _(optimizer: spec.SGD) -> list[str]:
    found = ["weight decay is apart from the momentum"] if optimizer.weight_decay else []
    if optimizer.momentum and optimizer.warmup_steps > 1:
        found.append("the momentum holds the rate")
    return found


@rule.register
def _(optimizer: spec.AdamW) -> list[str]:
    return ["Adam adds epsilon before it corrects the second moment's bias"]


def differences(task: Task) -> dict[str, str]:
    """Where this is not the specified update, by part of parity."""
    kinds = {type(place.layer) for place in task.model.places()}
    why = rule(task.optimizer)
    if spec.LSTM in kinds:
        why.append("an LSTM trains one bias")
    if spec.Embedding in kinds and keras.backend.backend() == "tensorflow":
        why.append("rows of an embedding's gradient are squared before they are added up")
    found = dict.fromkeys(("update", "trained"), ", ".join(why)) if why else {}
    if spec.BatchNorm in kinds:
        found["buffers"] = "the moving variance is of the biased one"
        found["trained"] = ", ".join([*why, found["buffers"]])
    return found
