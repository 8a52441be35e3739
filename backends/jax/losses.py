"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from backends.base import NotSupported
from tasks import spec

_NEVER = -1e30  # the logarithm of what cannot be; the derivative of that of 0 is not a number


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
    if loss.smoothing:
        each = (1 - loss.smoothing) * each + loss.smoothing * logs.mean(axis=-1)
    return -jnp.where(kept, each, 0).sum() / jnp.maximum(kept.sum(), 1)


@loss.register
def ctc(loss: spec.CTC, logits: Array, targets: Array, valid: Array | None) -> Array:
    """Logits (batch, steps, classes), targets (batch, labels). The scan holds the logarithm of the
    probability of all alignments that end in each state: the labels with a blank before and after
    each.
    """
    batch, labels = targets.shape
    states = jnp.full((batch, 2 * labels + 1), loss.blank)
    states = states.at[:, 1::2].set(jnp.maximum(targets, 0))
    skips = jnp.pad(states[:, 2:] != states[:, :-2], ((0, 0), (2, 0)))  # two blanks are equal
    scores = jnp.take_along_axis(jax.nn.log_softmax(logits), states[:, None], axis=-1)

    def step(found: Array, now: tuple[Array, Array]) -> tuple[Array, None]:
        score, counts = now
        padded = jnp.pad(found, ((0, 0), (2, 0)), constant_values=_NEVER)
        ways = found, padded[:, 1:-1], jnp.where(skips, padded[:, :-2], _NEVER)
        after = score + jax.nn.logsumexp(jnp.stack(ways), axis=0)
        return jnp.where(counts[:, None], after, found), None

    start = jnp.full(states.shape, _NEVER, scores.dtype).at[:, 0].set(0)
    counts = jnp.ones(scores.shape[:2], bool) if valid is None else valid
    found, _ = lax.scan(step, start, (scores.swapaxes(0, 1), counts.T))
    last = 2 * (targets >= 0).sum(axis=1, keepdims=True)
    left = last - jnp.arange(2 * labels + 1)
    total = jax.nn.logsumexp(jnp.where((left == 0) | (left == 1), found, _NEVER), axis=1)
    return jnp.where(total > _NEVER / 2, -total, jnp.inf).mean()
