"""Update rules as pure functions of tensors. Keras's own optimizers compute other formulas: its
Adam scales epsilon, its SGD keeps the rate inside the momentum.
"""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

import tensorflow as tf

from backends import schedules
from backends.base import NotSupported
from tasks import spec

Tree = dict[str, tf.Tensor]
Moments = dict[str, Tree]


@singledispatch
def update(
    optimizer: Any, step: tf.Tensor, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """New parameters and moments, by the type of the optimizer's spec."""
    raise NotSupported(f"tensorflow has no optimizer {type(optimizer).__name__}")


@update.register
def sgd(
    optimizer: spec.SGD, step: tf.Tensor, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.SGD."""
    gradients = clip(optimizer, gradients)
    eta = rate(optimizer, step, next(iter(parameters.values())).dtype)
    new: Tree = {}
    moments: Moments = {}
    for path, theta in parameters.items():
        change = gradients[path]
        if optimizer.weight_decay:
            change += optimizer.weight_decay * theta
        moments[path] = {}
        if optimizer.momentum:
            momentum = optimizer.momentum * state[path]["momentum"] + change
            moments[path]["momentum"] = momentum
            change = change + optimizer.momentum * momentum if optimizer.nesterov else momentum
        new[path] = theta - eta * change
    return new, moments


@update.register
def adamw(
    optimizer: spec.AdamW, step: tf.Tensor, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.AdamW."""
    gradients = clip(optimizer, gradients)
    eta = rate(optimizer, step, next(iter(parameters.values())).dtype)
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    new, moments = {}, {}
    for path, theta in parameters.items():
        g, dtype = gradients[path], theta.dtype
        m = beta1 * state[path]["first_moment"] + (1 - beta1) * g
        v = beta2 * state[path]["second_moment"] + (1 - beta2) * tf.square(g)
        root = tf.sqrt(v / _correction(beta2, step, dtype)) + optimizer.epsilon
        change = m / _correction(beta1, step, dtype) / root
        if optimizer.weight_decay:
            change += optimizer.weight_decay * theta
        new[path] = theta - eta * change
        moments[path] = {"first_moment": m, "second_moment": v}
    return new, moments


def clip(optimizer: spec.Optimizer, gradients: Tree) -> Tree:
    """All gradients times min(1, clip_norm / norm of all)."""
    if optimizer.clip_norm is None:
        return gradients
    norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(g)) for g in gradients.values()]))
    factor = tf.minimum(optimizer.clip_norm / norm, 1.0)
    return {path: g * factor for path, g in gradients.items()}


def rate(optimizer: spec.Optimizer, step: tf.Tensor, dtype: tf.DType) -> tf.Tensor | float:
    """The learning rate of this step; see backends.schedules."""
    return schedules.rate(optimizer, tf.cast(step, dtype), tf)


def _correction(beta: float, step: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """1 - beta^step; in float32 the formula as written would lose four digits at first."""
    log = tf.constant(math.log(beta) if beta else -math.inf, dtype)  # rounded once, from float64
    return -tf.math.expm1(tf.cast(step, dtype) * log)
