"""Known mistakes about the cross-entropy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Loss = Callable[[Floats, NDArray[np.int32]], float]

KERAS_CLIP = 1e-7  # of probabilities, keras.backend.epsilon()


def _logs(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _each(logits: Floats, targets: NDArray[np.int32]) -> Floats:
    found: Floats = -_logs(logits)[np.arange(len(targets)), targets]
    return found


def _smoothed(amount: float) -> Loss:
    def loss(logits: Floats, targets: NDArray[np.int32]) -> float:
        uniform = -_logs(logits).mean(axis=1)
        return float(((1 - amount) * _each(logits, targets) + amount * uniform).mean())

    return loss


def _clipped(logits: Floats, targets: NDArray[np.int32]) -> float:
    probabilities = np.exp(-_each(logits, targets))
    return float(-np.log(np.clip(probabilities, KERAS_CLIP, 1 - KERAS_CLIP)).mean())


# By words: one of GUESSES, and the loss.
CONFUSIONS: Mapping[str, tuple[str, Loss]] = {
    "the sum over the batch in place of the mean": ("mean", lambda z, y: float(_each(z, y).sum())),
    "the mean over batch and classes": ("mean", lambda z, y: float(_each(z, y).sum() / z.size)),
    "label smoothing of 0.1": ("smoothing", _smoothed(0.1)),
    "label smoothing of 0.05": ("smoothing", _smoothed(0.05)),
    "probabilities clipped at 1e-7, as Keras does": ("clipping", _clipped),
    "softmax applied twice": ("softmax", lambda z, y: float(_each(np.exp(_logs(z)), y).mean())),
    "logarithms to base 2": ("logarithm", lambda z, y: float(_each(z, y).mean() / np.log(2))),
    "the negative of the loss": ("sign", lambda z, y: float(-_each(z, y).mean())),
    "the logit in place of its log-softmax": (
        "softmax",
        lambda z, y: float(-z[np.arange(len(y)), y].mean()),
    ),
}


def mistakes(sizes: Collection[int]) -> Iterator[tuple[str, str, Loss]]:
    """One of GUESSES, words, and the loss. ``sizes`` are those that a mean may be taken over in
    place of the number of samples.
    """
    yield from ((word, words, loss) for words, (word, loss) in CONFUSIONS.items())
    for size in sorted(sizes):
        yield "mean", f"the sum divided by the recipe's batch size of {size}", _over(size)


def _over(size: int) -> Loss:
    return lambda logits, targets: float(_each(logits, targets).sum() / size)
