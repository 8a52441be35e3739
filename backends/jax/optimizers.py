"""Update rules: pure functions, which XLA fuses with the gradients into one program."""

from __future__ import annotations

from functools import singledispatch
from math import log
from typing import Any

import jax.numpy as jnp
from jax import Array

from backends import schedules
from backends.base import NotSupported
from tasks import spec

Tree = dict[str, Array]
Moments = dict[str, Tree]


@singledispatch
def update(
    optimizer: Any, step: Array, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """New parameters and moments, by the type of the optimizer's spec."""
    raise NotSupported(f"jax has no optimizer {type(optimizer).__name__}")


@update.register
def sgd(
    optimizer: spec.SGD, step: Array, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.SGD."""
    gradients, eta, mu = clip(optimizer, gradients), rate(optimizer, step), optimizer.momentum
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path] + optimizer.weight_decay * theta
        v = mu * state[path]["momentum"] + g if mu else g
        new[path] = theta - eta * (g + mu * v if optimizer.nesterov else v)
        moments[path] = {"momentum": v} if mu else {}
    return new, moments


@update.register
def adamw(
    optimizer: spec.AdamW, step: Array, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.AdamW."""
    gradients, eta = clip(optimizer, gradients), rate(optimizer, step)
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    correction1, correction2 = _correction(beta1, step), _correction(beta2, step)
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path]
        m = beta1 * state[path]["first_moment"] + (1 - beta1) * g
        v = beta2 * state[path]["second_moment"] + (1 - beta2) * g**2
        root = jnp.sqrt(v / correction2) + optimizer.epsilon
        new[path] = theta - eta * (m / correction1 / root + optimizer.weight_decay * theta)
        moments[path] = {"first_moment": m, "second_moment": v}
    return new, moments


def clip(optimizer: spec.Optimizer, gradients: Tree) -> Tree:
    """All gradients times min(1, clip_norm / norm of all)."""
    if optimizer.clip_norm is None:
        return gradients
    norm = jnp.sqrt(sum((g**2).sum() for g in gradients.values()))
    factor = jnp.minimum(optimizer.clip_norm / norm, 1.0)
    return {path: gradient * factor for path, gradient in gradients.items()}


def rate(optimizer: spec.Optimizer, step: Array) -> Array | float:
    """The learning rate of this step; see backends.schedules."""
    return schedules.rate(optimizer, 1.0 * step, jnp)


def _correction(beta: float, step: Array) -> Array | float:
    """1 - beta**step, of which plain float32 would keep 4 digits at beta 0.999 and step 1."""
    return -jnp.expm1(step * log(beta)) if beta else 1.0
