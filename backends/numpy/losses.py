"""The losses. Unlike in the other adapters, each returns its gradient with it."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from tasks.spec import CTC, CrossEntropy, Loss

Floats = NDArray[Any]


@singledispatch
def loss(
    loss: Loss, logits: Floats, targets: NDArray[np.int32], valid: NDArray[np.bool_] | None
) -> tuple[Floats, Floats]:
    """The scalar that training lessens and its gradient with respect to the logits."""
    raise NotSupported(f"numpy has no loss {type(loss).__name__}")


@loss.register(CrossEntropy)
def cross_entropy(
    loss: CrossEntropy, logits: Floats, targets: NDArray[np.int32], valid: NDArray[np.bool_] | None
) -> tuple[Floats, Floats]:
    """-log softmax(logits)[target], the mean over targets from 0 on; logits are (..., classes)."""
    flat, wanted = logits.reshape(-1, logits.shape[-1]), targets.ravel()
    logs = _log_softmax(flat)
    (rows,) = np.nonzero(wanted >= 0)
    gradient = np.zeros_like(flat)
    if not len(rows):
        return flat.dtype.type(0), gradient.reshape(logits.shape)
    sure = 1 - loss.smoothing
    each = sure * logs[rows, wanted[rows]] + loss.smoothing * logs[rows].mean(axis=1)
    gradient[rows] = np.exp(logs[rows]) - loss.smoothing / flat.shape[1]
    gradient[rows, wanted[rows]] -= sure
    return -each.mean(), (gradient / len(rows)).reshape(logits.shape)


@loss.register(CTC)
def ctc(
    loss: CTC, logits: Floats, targets: NDArray[np.int32], valid: NDArray[np.bool_] | None
) -> tuple[Floats, Floats]:
    """Logits (samples, steps, classes), targets (samples, labels), a sample at a time. Of a step's
    softmax the gradient takes away the probability of each class there, given the labels (Graves et
    al. 2006, equation 16).
    """
    logs, gradient = _log_softmax(logits), np.zeros_like(logits)
    total = logits.dtype.type(0)
    for sample, labels in enumerate(targets):
        rows = slice(None) if valid is None else valid[sample]
        scores, labels = logs[sample, rows], labels[labels >= 0]
        states = np.full(2 * len(labels) + 1, loss.blank)
        states[1::2] = labels
        before = _alignments(scores, states)
        after = _alignments(scores[::-1], states[::-1])[::-1, ::-1]
        found = np.logaddexp.reduce(before[-1, -2:])
        with np.errstate(invalid="ignore"):  # of labels that have no alignment it is not a number
            given = np.exp(before[1:] + after[:-1] - scores[:, states] - found)
        gradient[sample, rows] = np.exp(scores) - given @ np.eye(logits.shape[-1])[states]
        total -= found
    return total / len(logits), gradient / len(logits)


def _alignments(scores: Floats, states: NDArray[np.int64]) -> Floats:
    """The logarithm of the probability of all alignments that end in each state after so many
    steps (steps + 1, states). ``scores`` are log-probabilities (steps, classes). ``states`` are the
    labels with a blank before and after each; between two that differ it may be left out.
    """
    skips = np.zeros(len(states), bool)
    skips[2:] = states[2:] != states[:-2]  # two blanks are equal
    found = np.full((len(scores) + 1, len(states)), -np.inf, scores.dtype)
    found[0, 0] = 0  # as after a blank before the first step
    for step, row in enumerate(scores[:, states]):
        stayed, one = found[step], np.roll(found[step], 1)
        one[0] = -np.inf
        two = np.where(skips, np.roll(stayed, 2), -np.inf)
        found[step + 1] = row + np.logaddexp.reduce([stayed, one, two])
    return found


def _log_softmax(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs
