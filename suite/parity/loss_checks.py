"""A loss by itself: logits that one linear layer makes, from small to hot, with the targets and the
padding with which losses go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial, singledispatch
from typing import Any

import numpy as np

from tasks.base import Batch
from tasks.parameters import rounded, uniform
from tasks.spec import CTC, CrossEntropy, Input, Linear, Loss, ModelSpec, Shape

FEATURES, CLASSES, STEPS = 5, 3, 6
HEATS = (1.0, 1.0, 10.0, 100.0, 2000.0, 1.0)  # of the samples; exp overflows from 710 on


@dataclass(frozen=True, kw_only=True)
class LossCheck:
    """A loss with a batch's targets: for each sample a number, or a row. Where the logits are of
    steps, ``steps`` is how many, and ``valid`` has a word for each sample, with 1 for a valid step
    and 0 for padding. Samples are multiplied by ``heats``.
    """

    loss: Loss
    targets: tuple[Any, ...]
    steps: int | None = None
    valid: tuple[str, ...] | None = None
    classes: int = CLASSES
    heats: tuple[float, ...] = HEATS

    @property
    def shape(self) -> Shape:
        """Of a sample."""
        return (FEATURES,) if self.steps is None else (self.steps, FEATURES)

    @property
    def model(self) -> ModelSpec:
        """What makes the logits. Every adapter has a Linear."""
        layer = Linear(in_features=FEATURES, out_features=self.classes)
        return ModelSpec(name="drill", input=Input(shape=self.shape), layers=(("fc", layer),))

    @property
    def batch(self) -> Batch:
        """The samples. Their targets hit and miss the greatest logit."""
        inputs = uniform(0, "drill", (len(self.targets), *self.shape))
        heats = np.reshape(self.heats, (-1, *[1] * (inputs.ndim - 1)))
        valid = None
        if self.valid is not None:
            valid = np.array([[step == "1" for step in steps] for steps in self.valid])
        targets = np.array(self.targets, np.int32)
        return Batch(inputs=rounded(inputs * heats), targets=targets, valid=valid)


@singledispatch
def of(loss: Loss, stepwise: bool) -> dict[str, LossCheck]:
    """By name, the checks of a loss, whose logits may be of every step; none of an unknown one."""
    return {}


@of.register
def _(loss: CrossEntropy, stepwise: bool) -> dict[str, LossCheck]:
    if not stepwise:
        return {"hot logits": LossCheck(loss=loss, targets=(0, 1, 2, 0, 1, 2))}
    every = ((0, 1, 2), (0, 0, 2), (2, 1, 1), (0, 1, 0), (1, 2, 2), (2, 0, 1))
    some = ((0, 1, 2), (0, -1, 2), (-1, -1, 1), (-1, -1, -1), (1, 2, -1), (-7, 0, -1))
    return {
        "hot logits of steps": LossCheck(loss=loss, targets=every, steps=3),
        "some targets": LossCheck(loss=loss, targets=some, steps=3),
        "one step": LossCheck(loss=loss, targets=((0,), (1,), (-1,), (2,), (0,), (1,)), steps=1),
        "no target": LossCheck(loss=loss, targets=((-1,) * 3,) * 6, steps=3),
    }


@of.register
def _(loss: CTC, stepwise: bool) -> dict[str, LossCheck]:
    # One more class than blank and labels: who takes the last for the blank is found out.
    check = partial(LossCheck, loss=loss, classes=loss.blank + 5)
    labels = ((1, 2, 3), (1, 1, 0), (0, 0, 0), (2, 1, 2), (3, 0, 0), (2, 2, 2))
    targets = tuple(tuple(loss.blank + label if label else -1 for label in row) for row in labels)
    padded = ("111100", "001110", "101101", "010111", "000100", "111111")
    one = tuple((row[0],) for row in targets)
    return {
        "hot logits": check(targets=targets, steps=STEPS),
        "padding": check(targets=targets, steps=STEPS, valid=padded),
        "one step": check(targets=one, steps=1),
        "no valid step": check(targets=((-1,), *one[1:]), steps=2, valid=("00", *["01"] * 5)),
    }
