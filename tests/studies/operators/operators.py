"""The operators that are timed, as data: layers of the specs, in sizes like the small tasks'."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from backends.base import Backend
from suite.parity.layer_checks import Arrays, Case, random_case
from tasks import spec
from tasks.base import Batch, Task

PATH = "operator"  # of the one layer in its model
RECURRENT = (spec.LSTM, spec.GRU)
OTHERS = (spec.Attention, spec.Conv2d, spec.LayerNorm, spec.Linear, spec.MaxPool)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A layer, one sample's input shape, and the samples of a batch."""

    name: str
    layer: spec.Layer
    shape: spec.Shape
    batch: int

    @cached_property
    def case(self) -> Case:
        """The layer alone, with random inputs."""
        return random_case(self.batch, self.name, self.layer, self.shape, path=PATH)

    @property
    def task(self) -> Task:
        """A task whose model is this layer, so that an adapter can build it."""
        return self.case.task

    def parameters(self) -> Arrays:
        """{path: array}, every value random."""
        return self.case.start

    def inputs(self) -> Batch:
        """A batch of random inputs, (batch, *shape)."""
        return self.case.batch

    def upstream(self) -> Batch:
        """The gradient of the output that the backward pass starts from, as a batch's inputs."""
        return replace(self.case, inputs=self.case.upstream).batch


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a framework computes these layers; ``path`` says it in words."""

    name: str
    path: str
    backend: type[Backend]
    execution: str
    layers: tuple[type[spec.Layer], ...]


def _convolution(channels: int, size: int) -> Operator:
    """One of cnn-small's convolutions; the weight is (channels, channels, 3, 3)."""
    return Operator(
        name=f"convolution_{channels}x{channels}x3x3",
        layer=spec.Conv2d(
            in_channels=channels, out_channels=channels, kernel_size=3, padding=1, bias=False
        ),
        shape=(channels, size, size),
        batch=32,
    )


OPERATORS = (
    _convolution(16, 32),
    _convolution(64, 8),
    Operator(  # cnn-tiny's first
        name="max_pooling", layer=spec.MaxPool(size=2, stride=2), shape=(32, 24, 24), batch=128
    ),
    Operator(  # so long and narrow that QKᵀ and AV are 2/3 of its FLOPs
        name="attention", layer=spec.Attention(width=64, heads=4), shape=(256, 64), batch=8
    ),
    Operator(  # rnn-small's first level, 16 of its 64 steps: unrolled, they must compile
        name="lstm",
        layer=spec.LSTM(input_size=64, hidden_size=256, num_layers=1),
        shape=(16, 64),
        batch=32,
    ),
    Operator(
        name="gru",
        layer=spec.GRU(input_size=64, hidden_size=256, num_layers=1),
        shape=(16, 64),
        batch=32,
    ),
    Operator(  # transformer-small's
        name="layer_norm", layer=spec.LayerNorm(width=256, epsilon=1e-5), shape=(64, 256), batch=32
    ),
    Operator(
        name="matrix_multiply",
        layer=spec.Linear(in_features=512, out_features=512, bias=False),
        shape=(512,),
        batch=512,
    ),
)
