"""The optimizers' update rules, literally as ``tasks.spec`` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends import schedules
from backends.base import NotSupported
from tasks.spec import SGD, AdamW, Optimizer

Floats = NDArray[Any]
Tree = Mapping[str, Floats]
Moments = Mapping[str, Tree]
Updated = tuple[dict[str, Floats], dict[str, dict[str, Floats]]]


@singledispatch
def update(
    optimizer: Optimizer, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> Updated:
    """New parameters and moments by path; ``step`` counts from 1, nothing is changed in place."""
    raise NotSupported(f"numpy has no optimizer {type(optimizer).__name__}")


@update.register(SGD)
def sgd(optimizer: SGD, step: int, parameters: Tree, gradients: Tree, state: Moments) -> Updated:
    """Stochastic gradient descent, with or without momentum."""
    gradients, eta, mu = clip(optimizer, gradients), rate(optimizer, step), optimizer.momentum
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path] + optimizer.weight_decay * theta
        v = mu * state[path]["momentum"] + g if mu else g
        new[path] = theta - eta * (g + mu * v if optimizer.nesterov else v)
        moments[path] = {"momentum": v} if mu else {}
    return new, moments


@update.register(AdamW)
def adamw(
    optimizer: AdamW, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> Updated:
    """Adam with decoupled weight decay."""
    gradients, eta = clip(optimizer, gradients), rate(optimizer, step)
    beta1, beta2 = optimizer.beta1, optimizer.beta2
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path]
        m = beta1 * state[path]["first_moment"] + (1 - beta1) * g
        v = beta2 * state[path]["second_moment"] + (1 - beta2) * g**2
        root = np.sqrt(v / (1 - beta2**step)) + optimizer.epsilon
        change = m / (1 - beta1**step) / root + optimizer.weight_decay * theta
        new[path] = theta - eta * change
        moments[path] = {"first_moment": m, "second_moment": v}
    return new, moments


def clip(optimizer: Optimizer, gradients: Tree) -> Tree:
    """The gradients times min(1, clip_norm / their norm), the norm being that of all together."""
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    if optimizer.clip_norm is None or norm <= optimizer.clip_norm:
        return gradients
    return {path: g * (optimizer.clip_norm / norm) for path, g in gradients.items()}


def rate(optimizer: Optimizer, step: int) -> float:
    """The learning rate of this step; see backends.schedules."""
    found: float = schedules.rate(optimizer, step)
    return found
