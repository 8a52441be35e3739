"""Specs to torch.optim, fused, which computes the specified updates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from torch import nn, optim

from backends.base import NotSupported
from backends.schedules import rate
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


def schedules(given: spec.Optimizer, made: optim.Optimizer) -> list[optim.lr_scheduler.LRScheduler]:
    """The warm-up and the milestones, if any, or one of a rate that decays; each is stepped after
    every step.
    """
    if given.schedule != "constant":
        share = lambda step: rate(given, step + 1) / given.learning_rate  # noqa: E731
        return [optim.lr_scheduler.LambdaLR(made, share)]
    found: list[optim.lr_scheduler.LRScheduler] = []
    if (last := given.warmup_steps - 1) > 0:
        found.append(optim.lr_scheduler.LinearLR(made, 1 / given.warmup_steps, total_iters=last))
    if given.milestones:
        found.append(optim.lr_scheduler.MultiStepLR(made, list(given.milestones)))
    return found


def differences(task: Task) -> dict[str, str]:
    """Where this is not the specified update, by part of parity."""
    if task.optimizer.clip_norm is None:
        return {}
    why = "nn.utils.clip_grad_norm_ adds 1e-6 to the norm"
    return {"update": why, "trained": why}
