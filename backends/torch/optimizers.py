"""Update rules: PyTorch's own fused optimizers in their functional form, in place."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw as fused_adamw
from torch.optim.sgd import sgd as fused_sgd

from backends import schedules
from backends.base import NotSupported
from tasks import spec

Tree = dict[str, Tensor]
Moments = dict[str, Tree]


@singledispatch
def update(
    optimizer: Any, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """New parameters and moments, by the type of the optimizer's spec."""
    raise NotSupported(f"torch has no optimizer {type(optimizer).__name__}")


@update.register
def sgd(
    optimizer: spec.SGD, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.SGD. A momentum that starts at 0 makes PyTorch's first step the formula's."""
    gradients = clip(optimizer, gradients)
    fused_sgd(
        [parameters[path] for path in parameters],
        [gradients[path] for path in parameters],
        [state[path].get("momentum") for path in parameters],
        fused=True,
        weight_decay=optimizer.weight_decay,
        momentum=optimizer.momentum,
        lr=rate(optimizer, step),
        dampening=0.0,
        nesterov=optimizer.nesterov,
        maximize=False,
    )
    return parameters, state


@update.register
def adamw(
    optimizer: spec.AdamW, step: int, parameters: Tree, gradients: Tree, state: Moments
) -> tuple[Tree, Moments]:
    """spec.AdamW. The kernel takes a step counter per parameter and adds 1 to it."""
    gradients = clip(optimizer, gradients)
    device = next(iter(parameters.values())).device
    steps = torch.full((len(parameters),), step - 1.0, device=device).unbind()
    fused_adamw(
        [parameters[path] for path in parameters],
        [gradients[path] for path in parameters],
        [state[path]["first_moment"] for path in parameters],
        [state[path]["second_moment"] for path in parameters],
        [],
        list(steps),
        fused=True,
        amsgrad=False,
        beta1=optimizer.beta1,
        beta2=optimizer.beta2,
        lr=rate(optimizer, step),
        weight_decay=optimizer.weight_decay,
        eps=optimizer.epsilon,
        maximize=False,
    )
    return parameters, state


def clip(optimizer: spec.Optimizer, gradients: Tree) -> Tree:
    """All gradients times min(1, clip_norm / norm of all); PyTorch's own adds 1e-6 to the norm."""
    if optimizer.clip_norm is None:
        return gradients
    norms = torch._foreach_norm(list(gradients.values()))
    norm = torch.linalg.vector_norm(torch.stack(norms))
    factor = torch.clamp(optimizer.clip_norm / norm, max=1.0)
    return {path: gradient * factor for path, gradient in gradients.items()}


def rate(optimizer: spec.Optimizer, step: int) -> float:
    """The learning rate of this step; see backends.schedules."""
    found: float = schedules.rate(optimizer, step)
    return found
