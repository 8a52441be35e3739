"""Whole programs for the checks: small models with their optimizers and batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.engine.remote import bare, rounded
from suite.parity.conformance.cases import SAMPLES, padded_batch, padded_task
from tasks import spec
from tasks.base import Batch, Task
from tasks.parameters import uniform
from tasks.spec import SGD, AdamW, Input, Layers, ModelSpec, Optimizer

CLASSES = 3
PLAIN_SGD = SGD(learning_rate=0.1)
PLAIN_ADAMW = AdamW(learning_rate=0.01, beta1=0.9, beta2=0.99, epsilon=1e-8)


@dataclass(frozen=True)
class Whole:
    """A task with a batch to run it on."""

    task: Task
    batch: Batch


def task(name: str, shape: tuple[int, ...], layers: Layers, optimizer: Optimizer) -> Task:
    """A task of this model on real inputs; its name starts with ``whole-``."""
    model = ModelSpec(name=f"whole-{name}", input=Input(shape=shape), layers=layers)
    return bare(model, optimizer, SAMPLES)


def reals(shape: tuple[int, ...]) -> Batch:
    """Random inputs of this shape, in float64 as every batch of reals."""
    inputs = rounded(uniform(0, "inputs", (SAMPLES, *shape)))
    return Batch(inputs=inputs, targets=(np.arange(SAMPLES) % CLASSES).astype(np.int32))


def images() -> Whole:
    """Convolution, batch norm with its buffers, and pooling, under SGD with everything it has."""
    layers: Layers = (
        ("conv", spec.Conv2d(in_channels=2, out_channels=4, kernel_size=3, padding=1, bias=False)),
        ("norm", spec.BatchNorm(channels=4, epsilon=1e-5, momentum=0.1)),
        ("relu", spec.ReLU()),
        ("pool", spec.MaxPool(size=2, stride=2)),
        ("flatten", spec.Flatten()),
        ("fc", spec.Linear(in_features=4 * 3 * 3, out_features=CLASSES)),
    )
    optimizer = SGD(
        learning_rate=0.05,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.1,
        clip_norm=0.5,
        warmup_steps=4,
    )
    return Whole(task("images", (2, 6, 7), layers, optimizer), reals((2, 6, 7)))


def linear(name: str, optimizer: Optimizer) -> Task:
    """One linear layer, where only the optimizer can go wrong."""
    layers: Layers = (("fc", spec.Linear(in_features=5, out_features=CLASSES)),)
    return task(name, (5,), layers, optimizer)


WHOLE = {
    "images": images(),
    "padded": Whole(padded_task(causal=False), padded_batch()),
    "padded-causal": Whole(padded_task(causal=True), padded_batch()),
}
