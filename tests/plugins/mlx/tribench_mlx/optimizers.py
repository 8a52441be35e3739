"""Update rules: pure functions, evaluated with the gradients."""

from __future__ import annotations

from functools import singledispatch

import mlx.core as mx

from backends import schedules
from backends.base import NotSupported
from tasks import spec
from tribench_mlx.arrays import scalar

Tree = dict[str, mx.array]
Moments = dict[str, Tree]


@singledispatch
def update(
    optimizer, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """New parameters and moments, by the type of the optimizer's spec."""
    raise NotSupported(f"mlx has no optimizer {type(optimizer).__name__}")


@update.register
def sgd(
    optimizer: spec.SGD, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.SGD."""
    gradients, eta, mu = clip(optimizer, gradients), rate(optimizer, step), optimizer.momentum
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path] + scalar(optimizer.weight_decay, theta) * theta
        v = scalar(mu, theta) * state[path]["momentum"] + g if mu else g
        change = g + scalar(mu, theta) * v if optimizer.nesterov else v
        new[path] = theta - scalar(eta, theta) * change
        moments[path] = {"momentum": v} if mu else {}
    return new, moments


@update.register
def adamw(
    optimizer: spec.AdamW, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.AdamW; the bias corrections are Python's, in float64."""
    gradients, eta = clip(optimizer, gradients), rate(optimizer, step)
    correction1, correction2 = (1 - beta**step for beta in (optimizer.beta1, optimizer.beta2))
    new, moments = {}, {}
    for path, theta in parameters.items():
        g = gradients[path]
        (beta1, rest1), (beta2, rest2) = (
            (scalar(beta, theta), scalar(1 - beta, theta))
            for beta in (optimizer.beta1, optimizer.beta2)
        )
        m = beta1 * state[path]["first_moment"] + rest1 * g
        v = beta2 * state[path]["second_moment"] + rest2 * g * g
        root = mx.sqrt(v * scalar(1 / correction2, theta)) + scalar(optimizer.epsilon, theta)
        decay = scalar(eta * optimizer.weight_decay, theta) * theta
        new[path] = theta - scalar(eta / correction1, theta) * m / root - decay
        moments[path] = {"first_moment": m, "second_moment": v}
    return new, moments


def clip(optimizer: spec.Optimizer, gradients: Tree) -> Tree:
    """All gradients times min(1, clip_norm / norm of all)."""
    if optimizer.clip_norm is None:
        return gradients
    norm = mx.sqrt(sum(mx.square(g).sum() for g in gradients.values()))
    factor = mx.minimum(scalar(optimizer.clip_norm, norm) / norm, 1.0)
    return {path: gradient * factor for path, gradient in gradients.items()}


def rate(optimizer: spec.Optimizer, step: int) -> float:
    """The learning rate of this step; see backends.schedules."""
    return schedules.rate(optimizer, step)
