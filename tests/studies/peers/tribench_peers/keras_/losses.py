"""Specs to Keras's losses."""

from __future__ import annotations

from functools import singledispatch

import keras
import numpy as np

from backends.base import NotSupported
from tasks import spec
from tribench_peers import base


@singledispatch
def loss(loss: spec.Loss) -> keras.losses.Loss:
    """What ``compile`` gets."""
    raise NotSupported(f"Keras has no loss {type(loss).__name__}")


@loss.register
def _(loss: spec.CrossEntropy) -> keras.losses.Loss:
    if loss.smoothing:
        raise NotSupported("Keras smooths labels that are distributions, not classes")
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )


@loss.register
def _(loss: spec.CTC) -> keras.losses.Loss:
    """Of all steps; a target of 0 is padding."""
    if keras.backend.backend() == "tensorflow":
        raise NotSupported("tf.nn.ctc_loss computes in float32, also where all else is float64")
    if loss.blank:
        raise NotSupported("Keras's CTC has class 0 as its blank")
    return keras.losses.CTC()


@singledispatch
def weights(loss: spec.Loss, targets: np.ndarray) -> np.ndarray | None:
    """What ``train_on_batch`` gets beside the targets, of which those below 0 are left out."""
    return None


@weights.register
def _(loss: spec.CrossEntropy, targets: np.ndarray) -> np.ndarray | None:
    return base.weights(targets)
