"""The reference's optimizers are the formulas."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi, sqrt

import numpy as np
import pytest

from backends.numpy import Backend
from tasks import spec
from tasks.parameters import probe, uniform
from tests.fixtures.reference_cases import (
    EXACT,
    task_of,
)

SGD = spec.SGD(learning_rate=0.1)
ADAMW = spec.AdamW(learning_rate=0.1, beta1=0.8, beta2=0.95, epsilon=1e-3)
FORMS = [
    form
    for base in (SGD, replace(SGD, momentum=0.9), replace(SGD, momentum=0.9, nesterov=True), ADAMW)
    for form in (
        base,
        replace(base, weight_decay=0.2),
        replace(base, clip_norm=0.5),
        replace(base, clip_norm=100.0),
        replace(base, warmup_steps=3),
        replace(base, milestones=(1, 3)),
        replace(base, warmup_steps=2, schedule="inverse_sqrt"),
        replace(base, warmup_steps=1, schedule="cosine", decay_steps=4),
        replace(base, weight_decay=0.2, clip_norm=0.5, warmup_steps=3),
    )
]


def literally(optimizer, thetas: list[float], gradients: list[list[float]]) -> list[float]:
    thetas = list(thetas)
    a, b = [0.0] * len(thetas), [0.0] * len(thetas)
    for t, found in enumerate(gradients, start=1):
        norm = sqrt(sum(g * g for g in found))
        factor = 1.0 if optimizer.clip_norm is None else min(1.0, optimizer.clip_norm / norm)
        warm = min(1.0, t / optimizer.warmup_steps) if optimizer.warmup_steps else 1.0
        eta = optimizer.learning_rate * warm * 0.1 ** sum(t > m for m in optimizer.milestones)
        if optimizer.schedule == "inverse_sqrt":
            eta = optimizer.learning_rate * sqrt(2) * min(t**-0.5, t * 2**-1.5)
        if optimizer.schedule == "cosine":
            eta *= (1 + cos(pi * min(1.0, (t - 1) / 3))) / 2
        for k, theta in enumerate(thetas):
            g = factor * found[k]
            if isinstance(optimizer, spec.SGD):
                g += optimizer.weight_decay * theta
                a[k] = optimizer.momentum * a[k] + g
                step = g + optimizer.momentum * a[k] if optimizer.nesterov else a[k]
            else:
                a[k] = optimizer.beta1 * a[k] + (1 - optimizer.beta1) * g
                b[k] = optimizer.beta2 * b[k] + (1 - optimizer.beta2) * g * g
                mean = a[k] / (1 - optimizer.beta1**t)
                step = mean / (sqrt(b[k] / (1 - optimizer.beta2**t)) + optimizer.epsilon)
                step += optimizer.weight_decay * theta
            thetas[k] = theta - eta * step
    return thetas


@pytest.mark.parametrize("optimizer", FORMS, ids=str)
def test_optimizer_is_the_formula(optimizer):
    task = task_of(
        (("fc", spec.Linear(in_features=2, out_features=2)),), spec.Input(shape=(2,)), optimizer
    )
    start = probe(task.model, 1)
    program = Backend().build(task, start)
    given = [{path: uniform(t, path, p.shape) for path, p in start.items()} for t in range(5)]
    updates = [program.apply_update(gradients) for gradients in given]
    flat = [np.concatenate([g[path].ravel() for path in start]).tolist() for g in given]
    first = np.concatenate([p.ravel() for p in start.values()])
    wanted = literally(optimizer, first.tolist(), flat)
    state = program.state()
    assert state.step == 5
    assert set(state.moments) == set(start)
    assert all(tuple(named) == optimizer.moments() for named in state.moments.values())
    found = np.concatenate([state.parameters[path].ravel() for path in start])
    assert found.tolist() == pytest.approx(wanted, rel=EXACT)
    moved = sum(np.concatenate([update[path].ravel() for path in start]) for update in updates)
    assert moved.tolist() == pytest.approx((found - first).tolist(), rel=1e-9)


def test_clipping_leaves_zero_gradients_alone():
    task = task_of(
        (("fc", spec.Linear(in_features=2, out_features=2)),),
        spec.Input(shape=(2,)),
        replace(SGD, clip_norm=1.0),
    )
    start = probe(task.model, 1)
    update = Backend().build(task, start).apply_update({p: 0 * a for p, a in start.items()})
    assert set(update) == set(start)
    assert all((change == 0).all() for change in update.values())
