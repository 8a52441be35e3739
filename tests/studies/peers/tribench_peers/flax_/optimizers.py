"""Specs to Optax, which computes the specified updates."""

from __future__ import annotations

from functools import singledispatch

import jax.numpy as jnp
import optax

from backends.base import NotSupported
from backends.schedules import rate
from tasks import spec
from tasks.base import Task


@singledispatch
def optimizer(optimizer: spec.Optimizer) -> optax.GradientTransformation:
    raise NotSupported(f"flax has no optimizer {type(optimizer).__name__}")


@optimizer.register
def _(optimizer: spec.SGD) -> optax.GradientTransformation:
    momentum = optimizer.momentum or None
    return optax.chain(
        *_clipped(optimizer),
        optax.add_decayed_weights(optimizer.weight_decay),
        optax.sgd(schedule(optimizer), momentum, optimizer.nesterov),
    )


@optimizer.register
def _(optimizer: spec.AdamW) -> optax.GradientTransformation:
    return optax.chain(
        *_clipped(optimizer),
        optax.adamw(
            schedule(optimizer),
            optimizer.beta1,
            optimizer.beta2,
            optimizer.epsilon,
            weight_decay=optimizer.weight_decay,
        ),
    )


def schedule(given: spec.Optimizer) -> optax.ScalarOrSchedule:
    """The rate, with its warm-up, decay and milestones."""
    if given.schedule != "constant":
        return lambda count: rate(given, count + 1.0, jnp)
    drops = optax.piecewise_constant_schedule(1.0, dict.fromkeys(given.milestones, 0.1))
    if given.warmup_steps < 2:
        peak = given.learning_rate
        return (lambda count: peak * drops(count)) if given.milestones else peak
    # optax.linear_schedule divides integers, which JAX does in float32: 6e-7 off in float64.
    slope = given.learning_rate / given.warmup_steps
    return lambda count: slope * jnp.minimum(count + 1, given.warmup_steps) * drops(count)


def differences(task: Task) -> dict[str, str]:
    """Where this is not the specified update, by part of parity."""
    kinds, found = {type(place.layer) for place in task.model.places()}, {}
    if kinds & {spec.LSTM, spec.GRU}:
        why = "an LSTM trains one bias, a GRU one of its first two gates"
        found = {"update": why, "trained": why}
    if spec.BatchNorm in kinds:
        why = "the running variance is of the biased one"
        found |= {"buffers": why, "trained": why}
    return found


def _clipped(given: spec.Optimizer) -> list[optax.GradientTransformation]:
    return [] if given.clip_norm is None else [optax.clip_by_global_norm(given.clip_norm)]
