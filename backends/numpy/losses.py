"""The losses. Unlike in the other adapters, each returns its gradient with it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from tasks.spec import CrossEntropy

Floats = NDArray[Any]


@singledispatch
def loss(
    loss: CrossEntropy, logits: Floats, targets: NDArray[np.int32], valid: NDArray[np.bool_] | None
) -> tuple[Floats, Floats]:
    """The scalar that training lessens and its gradient with respect to the logits."""
    raise NotSupported(f"numpy has no loss {type(loss).__name__}")


@loss.register(CrossEntropy)
def cross_entropy(
    loss: CrossEntropy, logits: Floats, targets: NDArray[np.int32], valid: NDArray[np.bool_] | None
) -> tuple[Floats, Floats]:
    """-log softmax(logits)[target], the mean over the batch; logits are (batch, classes)."""
    samples = np.arange(len(targets))
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    gradient = np.exp(logs)
    gradient[samples, targets] -= 1
    return -logs[samples, targets].mean(), gradient / len(targets)
