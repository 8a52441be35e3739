"""Specs to Optax's losses."""

from __future__ import annotations

from functools import singledispatch

import jax
import jax.numpy as jnp
import optax
from jax import Array

from backends.base import NotSupported
from tasks import spec


@singledispatch
def loss(loss: spec.Loss, logits: Array, targets: Array, weights: Array | None) -> Array:
    """A scalar; targets of weight 0 are left out."""
    raise NotSupported(f"flax has no loss {type(loss).__name__}")


@loss.register
def _(loss: spec.CrossEntropy, logits: Array, targets: Array, weights: Array | None) -> Array:
    if loss.smoothing:
        labels = jax.nn.one_hot(targets, logits.shape[-1], dtype=logits.dtype)
        labels = optax.smooth_labels(labels, loss.smoothing)
        losses = optax.softmax_cross_entropy(logits, labels)
    else:
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    if weights is None:
        return losses.mean()
    return (weights * losses).sum() / jnp.maximum(weights.sum(), 1)


@loss.register
def _(loss: spec.CTC, logits: Array, targets: Array, weights: Array | None) -> Array:
    """Of all steps."""
    steps = jnp.zeros(logits.shape[:2], logits.dtype)
    left_out = jnp.zeros(targets.shape, logits.dtype) if weights is None else 1 - weights
    return optax.ctc_loss(logits, steps, targets, left_out, blank_id=loss.blank).mean()
