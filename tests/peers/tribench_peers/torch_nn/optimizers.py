"""Specs to torch.optim, fused, which computes the specified updates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from torch import nn, optim

from backends.base import NotSupported
from tasks import spec
from tasks.base import Task


@singledispatch
def optimizer(optimizer: spec.Optimizer, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    raise NotSupported(f"torch-nn has no optimizer {type(optimizer).__name__}")


@optimizer.register
def _(optimizer: spec.SGD, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    return optim.SGD(
        parameters,
        lr=optimizer.learning_rate,
        momentum=optimizer.momentum,
        nesterov=optimizer.nesterov,
        weight_decay=optimizer.weight_decay,
        fused=True,
    )


@optimizer.register
def _(optimizer: spec.AdamW, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    return optim.AdamW(
        parameters,
        lr=optimizer.learning_rate,
        betas=(optimizer.beta1, optimizer.beta2),
        eps=optimizer.epsilon,
        weight_decay=optimizer.weight_decay,
        fused=True,
    )


def schedule(given: spec.Optimizer, made: optim.Optimizer) -> optim.lr_scheduler.LinearLR:
    """The warm-up."""
    last = given.warmup_steps - 1
    return optim.lr_scheduler.LinearLR(made, 1 / given.warmup_steps, total_iters=last)


def differences(task: Task) -> dict[str, str]:
    """Where this is not the specified update, by part of parity."""
    if task.optimizer.clip_norm is None:
        return {}
    why = "nn.utils.clip_grad_norm_ adds 1e-6 to the norm"
    return {"update": why, "trained": why}
