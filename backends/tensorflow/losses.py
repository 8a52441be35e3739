"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import tensorflow as tf

from backends.base import NotSupported
from tasks import spec

_NEVER = -1e30  # the logarithm of what cannot be; the derivative of that of 0 is not a number


@singledispatch
def loss(loss: Any, logits: tf.Tensor, targets: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    """The scalar that training lessens, by the type of its spec."""
    raise NotSupported(f"tensorflow has no loss {type(loss).__name__}")


@loss.register
def cross_entropy(
    loss: spec.CrossEntropy, logits: tf.Tensor, targets: tf.Tensor, valid: tf.Tensor | None
) -> tf.Tensor:
    """Logits (..., classes), targets (...)."""
    labels, kept = tf.maximum(targets, 0), tf.cast(targets >= 0, logits.dtype)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    if loss.smoothing:
        uniform = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=-1)
        each = (1 - loss.smoothing) * each + loss.smoothing * uniform
    return tf.reduce_sum(kept * each) / tf.maximum(tf.reduce_sum(kept), 1)


@loss.register
def ctc(
    loss: spec.CTC, logits: tf.Tensor, targets: tf.Tensor, valid: tf.Tensor | None
) -> tf.Tensor:
    """Logits (batch, steps, classes), targets (batch, labels). The scan holds the logarithm of the
    probability of all alignments that end in each state: the labels with a blank before and after
    each. tf.nn.ctc_loss refuses float64.
    """
    batch, labels = targets.shape
    blanks = tf.fill([batch, labels], tf.cast(loss.blank, targets.dtype))
    pairs = tf.reshape(tf.stack([blanks, tf.maximum(targets, 0)], axis=2), [batch, 2 * labels])
    states = tf.pad(pairs, [[0, 0], [0, 1]], constant_values=loss.blank)
    skips = tf.pad(states[:, 2:] != states[:, :-2], [[0, 0], [2, 0]])  # two blanks are equal
    scores = tf.gather(tf.nn.log_softmax(logits), states, axis=2, batch_dims=1)

    def step(found: tf.Tensor, now: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        score, counts = now
        padded = tf.pad(found, [[0, 0], [2, 0]], constant_values=_NEVER)
        ways = found, padded[:, 1:-1], tf.where(skips, padded[:, :-2], _NEVER)
        after = score + tf.reduce_logsumexp(tf.stack(ways), axis=0)
        return tf.where(counts[:, None], after, found)

    start = tf.one_hot([0] * batch, 2 * labels + 1, 0.0, _NEVER, dtype=scores.dtype)
    counts = tf.ones(scores.shape[:2], tf.bool) if valid is None else valid
    steps_first = tf.transpose(scores, (1, 0, 2)), tf.transpose(counts)
    found = tf.scan(step, steps_first, start)[-1]
    last = 2 * tf.reduce_sum(tf.cast(targets >= 0, tf.int32), axis=1, keepdims=True)
    left = last - tf.range(2 * labels + 1)
    total = tf.reduce_logsumexp(tf.where((left == 0) | (left == 1), found, _NEVER), axis=1)
    return tf.reduce_mean(tf.where(total > _NEVER / 2, -total, float("inf")))
