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
    """-log softmax(logits)[target], the mean over targets from 0 on; logits are (..., classes)."""
    flat, wanted = logits.reshape(-1, logits.shape[-1]), targets.ravel()
    shifted = flat - flat.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    (rows,) = np.nonzero(wanted >= 0)
    gradient = np.zeros_like(flat)
    if not len(rows):
        return flat.dtype.type(0), gradient.reshape(logits.shape)
    gradient[rows] = np.exp(logs[rows])
    gradient[rows, wanted[rows]] -= 1
    return -logs[rows, wanted[rows]].mean(), (gradient / len(rows)).reshape(logits.shape)
