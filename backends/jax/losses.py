"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from backends.base import NotSupported
from tasks import spec


@singledispatch
def loss(loss: Any, logits: Array, targets: Array, valid: Array | None) -> Array:
    """The scalar that training lessens, by the type of its spec."""
    raise NotSupported(f"jax has no loss {type(loss).__name__}")


@loss.register
def cross_entropy(
    loss: spec.CrossEntropy, logits: Array, targets: Array, valid: Array | None
) -> Array:
    """Logits (..., classes), targets (...)."""
    logs, kept = jax.nn.log_softmax(logits), targets >= 0
    each = jnp.take_along_axis(logs, jnp.maximum(targets, 0)[..., None], axis=-1)[..., 0]
    return -jnp.where(kept, each, 0).sum() / jnp.maximum(kept.sum(), 1)
