"""Loss functions."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import tensorflow as tf

from backends.base import NotSupported
from tasks import spec


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
    return tf.reduce_sum(kept * each) / tf.maximum(tf.reduce_sum(kept), 1)
