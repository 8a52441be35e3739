"""Specs to Keras's losses."""

from __future__ import annotations

from functools import singledispatch

import keras

from backends.base import NotSupported
from tasks import spec


@singledispatch
def loss(loss: spec.Loss) -> keras.losses.Loss:
    """What ``compile`` gets; targets of weight 0 are left out."""
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
    if loss.blank:
        raise NotSupported("Keras's CTC has class 0 as its blank")
    return keras.losses.CTC()
