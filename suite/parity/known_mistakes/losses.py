"""Known mistakes about the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.parity.known_mistakes.words import Mistake

Floats = NDArray[np.float64]
Targets = NDArray[np.int32]
Loss = Callable[[Floats, Targets], Any]  # a number

KERAS_CLIP = 1e-7  # of probabilities, keras.backend.epsilon()


def _logs(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _each(logits: Floats, targets: Targets) -> Floats:
    found: Floats = -_logs(logits)[np.arange(len(targets)), targets]
    return found


def _smoothed(amount: float, logits: Floats, targets: Targets) -> Any:
    uniform = -_logs(logits).mean(axis=1)
    return ((1 - amount) * _each(logits, targets) + amount * uniform).mean()


def _clipped(logits: Floats, targets: Targets) -> Any:
    probabilities = np.exp(-_each(logits, targets))
    return -np.log(np.clip(probabilities, KERAS_CLIP, 1 - KERAS_CLIP)).mean()


def _over(size: int, logits: Floats, targets: Targets) -> Any:
    return _each(logits, targets).sum() / size


MISTAKES: tuple[Mistake[Loss], ...] = (
    Mistake("mean", "the sum over the batch in place of the mean", partial(_over, 1)),
    Mistake(
        "mean",
        "the mean over batch and classes",
        lambda logits, targets: _over(logits.size, logits, targets),
    ),
    Mistake("smoothing", "label smoothing of 0.1", partial(_smoothed, 0.1)),
    Mistake("smoothing", "label smoothing of 0.05", partial(_smoothed, 0.05)),
    Mistake("clipping", "probabilities clipped at 1e-7, as Keras does", _clipped),
    Mistake("softmax", "softmax applied twice", lambda z, y: _each(np.exp(_logs(z)), y).mean()),
    Mistake(
        "logarithm",
        "logarithms to base 2",
        lambda z, y: _each(z, y).mean() / np.log(2),
    ),
    Mistake("sign", "the negative of the loss", lambda z, y: -_each(z, y).mean()),
    Mistake(
        "softmax",
        "the logit in place of its log-softmax",
        lambda z, y: -z[np.arange(len(y)), y].mean(),
    ),
)


def mistakes(sizes: Collection[int]) -> list[Mistake[Loss]]:
    """All, with those where one of these ``sizes`` takes the place of the number of samples."""
    words = "the sum divided by the recipe's batch size of"
    over = [Mistake[Loss]("mean", f"{words} {n}", partial(_over, n)) for n in sorted(sizes)]
    return [*MISTAKES, *over]
