"""Layers and models that the reference is tested on, and how."""

from __future__ import annotations

import numpy as np

from backends.base import Context
from backends.numpy import Backend
from tasks import cnn, rnn, spec, transformer
from tasks.base import Batch, Task
from tasks.codec import NamedData
from tasks.parameters import uniform

TOLERANCE = 1e-6  # of central differences, relative to the norm
EXACT = 1e-12  # two orders of computing the same thing in float64

PADDED = np.array(
    [[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool
)
ATTENTION = spec.Attention(width=4, heads=2)
CAUSAL = spec.Attention(width=6, heads=3, causal=True)
LSTM = spec.LSTM(input_size=3, hidden_size=2, num_layers=2)
GRU = spec.GRU(input_size=3, hidden_size=2, num_layers=2)
BATCH_NORM = spec.BatchNorm(channels=2, epsilon=0.1, momentum=0.2)
NORM = spec.LayerNorm(width=5, epsilon=0.1)


def conv(kernel_size: int, stride: int, padding: int, bias: bool = True) -> spec.Conv2d:
    return spec.Conv2d(
        in_channels=2,
        out_channels=3,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        bias=bias,
    )


CONVOLUTIONS = [
    (conv(3, 1, 1), (2, 5, 4)),
    (conv(3, 2, 1), (2, 6, 6)),
    (conv(3, 2, 1), (2, 5, 7)),
    (conv(3, 2, 0), (2, 6, 4)),  # a row and a column are left over
    (conv(2, 1, 0, bias=False), (2, 3, 4)),
    (conv(2, 3, 2), (2, 4, 5)),  # strides over whole columns
    (conv(1, 2, 0), (2, 4, 3)),
]
POOLS = [
    (spec.MaxPool(size=2, stride=2), (2, 4, 6)),
    (spec.MaxPool(size=2, stride=2), (1, 5, 3)),  # left over
    (spec.MaxPool(size=3, stride=2), (2, 7, 6)),  # overlap, left over
    (spec.MaxPool(size=3, stride=1), (1, 5, 4)),
    (spec.MaxPool(size=1, stride=2), (2, 3, 4)),
]
MEANS = [
    (spec.AvgPool(size=2, stride=2), (2, 5, 4)),  # left over
    (spec.AvgPool(size=3, stride=1), (1, 4, 5)),  # overlap
]
SEQUENCES = [
    (ATTENTION, (4, 4)),
    (CAUSAL, (4, 6)),
    (LSTM, (4, 3)),
    (spec.LSTM(input_size=2, hidden_size=3, num_layers=1), (4, 2)),
    (GRU, (4, 3)),
    (spec.GRU(input_size=2, hidden_size=3, num_layers=1), (4, 2)),
    (spec.LastStep(), (4, 3)),
    (spec.MeanSteps(), (4, 3)),
]
OTHERS = [
    (spec.ReLU(), (2, 3)),
    (spec.GELU(), (2, 3)),
    (spec.GELU(approximate=True), (2, 3)),
    (BATCH_NORM, (2, 3, 2)),
    (spec.PositionalEmbedding(steps=3, width=2), (3, 2)),
    (spec.Flatten(), (2, 3, 2)),
    (spec.Linear(in_features=3, out_features=4), (3,)),
    (spec.Linear(in_features=3, out_features=2, bias=False), (4, 3)),
    (spec.PositionalEncoding(width=4), (5, 4)),
    (NORM, (5,)),
    (NORM, (3, 5)),
]
CASES = [
    *((layer, shape, None) for layer, shape in CONVOLUTIONS + POOLS + MEANS + SEQUENCES + OTHERS),
    *((layer, shape, PADDED) for layer, shape in SEQUENCES),
]
MODELS = [cnn.tiny(), rnn.tiny(), transformer.tiny()]


def smooth(layer: spec.Layer, shape: tuple[int, ...]) -> np.ndarray:
    """Random inputs further from kinks and ties than any difference taken here."""
    x = uniform(1, "inputs", shape)
    if isinstance(layer, spec.MaxPool):
        return x.ravel().argsort().reshape(shape) / x.size
    return x + 0.1 * np.sign(x)


def context_of(layer, valid=None, training=True) -> Context:
    """With random buffers under the layer's path."""
    buffers = {
        f"layer.{name}": 1 + uniform(4, name, b.shape) for name, b in layer.buffers().items()
    }
    return Context(path="layer", training=training, valid=valid, buffers=buffers)


def lower(layer, parameters, x, valid=None, backend=None, context=None):
    context = context or context_of(layer, valid)
    return (backend or Backend()).lowering(layer)(layer, parameters, x, context)


def own_parameters(layer: spec.Layer) -> dict[str, np.ndarray]:
    return {
        name: uniform(2, name, parameter.shape) for name, parameter in layer.parameters().items()
    }


def differences(function, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function by central differences, each coordinate alone."""
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        gradient[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return gradient


def assert_close(found, wanted, tolerance=TOLERANCE) -> None:
    assert np.shape(found) == np.shape(wanted)
    assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)


def task_of(layers: spec.Layers, given: spec.Input, optimizer=None) -> Task:
    return Task(
        name="t",
        model=spec.ModelSpec(name="t", input=given, layers=layers),
        data=NamedData(name="none"),
        loss=spec.CrossEntropy(),
        optimizer=optimizer or spec.SGD(learning_rate=0.1),
        batch_size=4,
        timed_batch_size=4,
        epochs=1,
    )


def loss_at(task: Task, parameters, batch: Batch) -> float:
    backend = Backend()
    program = backend.build(task, parameters)
    logits = program.predict(program.put(batch))
    return backend.loss(task.loss, logits, batch.targets, batch.valid)[0]


RECURRENT = task_of((("lstm", LSTM), ("last", spec.LastStep())), spec.Input(shape=(4, 3)))
ATTENTIVE = task_of(
    (
        ("sum", spec.Residual(layers=(("attention", ATTENTION),))),
        ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
        ("mean", spec.MeanSteps()),
    ),
    spec.Input(shape=(4, 4)),
)
