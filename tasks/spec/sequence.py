"""Layers on sequences, shape (steps, features).

A batch may say which steps are valid; rows may be padded on either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.spec.layer import Layer, Parameter, Shape, SpecError, expect, positive


@dataclass(frozen=True, kw_only=True)
class Embedding(Layer):
    """Row ``id`` of a table; the values are not scaled. Initial values are uniform around 0, their
    standard deviation is ``initial_deviation``.
    """

    vocabulary: int
    width: int
    initial_deviation: float = 1.0

    def __post_init__(self) -> None:
        deviation = self.initial_deviation
        positive(self, vocabulary=self.vocabulary, width=self.width, initial_deviation=deviation)

    def parameters(self) -> dict[str, Parameter]:
        bound = sqrt(3) * self.initial_deviation
        return {"weight": Parameter(shape=(self.vocabulary, self.width), bound=bound)}

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 1, "(steps,)", shape)
        return (*shape, self.width)


@dataclass(frozen=True, kw_only=True)
class PositionalEncoding(Layer):
    """Adds sin(t / 10000^(2i/width)) to feature 2i and the cosine of the same to feature 2i + 1
    (arXiv 1706.03762, section 3.5). The table is made in float64 and rounded once.
    """

    width: int

    def __post_init__(self) -> None:
        positive(self, width=self.width)
        if self.width % 2:
            raise SpecError(f"PositionalEncoding: width (={self.width}) must be even")

    def table(self, steps: int) -> NDArray[np.float64]:
        """What is added, (steps, width)."""
        angles = np.arange(steps)[:, None] / 10_000 ** (np.arange(0, self.width, 2) / self.width)
        return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(steps, self.width)

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.width
        expect(self, fits, f"(steps, {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class PositionalEmbedding(Layer):
    """Adds a trained row to every step, the same in all sequences; initial values as Embedding."""

    steps: int
    width: int
    initial_deviation: float = 1.0

    def __post_init__(self) -> None:
        deviation = self.initial_deviation
        positive(self, steps=self.steps, width=self.width, initial_deviation=deviation)

    def parameters(self) -> dict[str, Parameter]:
        bound = sqrt(3) * self.initial_deviation
        return {"weight": Parameter(shape=(self.steps, self.width), bound=bound)}

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, shape == (self.steps, self.width), f"({self.steps}, {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class Attention(Layer):
    """Multi-head self-attention: softmax(Q Kᵀ / sqrt(width / heads)) V, then the output projection
    (arXiv 1706.03762, section 3.2).

    ``causal`` lets step t see the steps up to t only; steps that are not valid are seen by none. A
    row that sees no step attends to nothing: it projects a zero. Keys have no bias, because softmax
    cancels it. Heads are consecutive slices of the features.
    """

    multiplies: ClassVar[bool] = True

    width: int
    heads: int
    causal: bool = False

    def __post_init__(self) -> None:
        positive(self, width=self.width, heads=self.heads)
        if self.width % self.heads:
            raise SpecError(
                f"Attention: width (={self.width}) must be divisible by heads (={self.heads})"
            )

    def parameters(self) -> dict[str, Parameter]:
        bound = 1 / sqrt(self.width)
        weight = Parameter(shape=(self.width, self.width), bound=bound)
        bias = Parameter(shape=(self.width,), bound=bound)
        return {
            "query.weight": weight,
            "query.bias": bias,
            "key.weight": weight,
            "value.weight": weight,
            "value.bias": bias,
            "output.weight": weight,
            "output.bias": bias,
        }

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.width
        expect(self, fits, f"(steps, {self.width})", shape)
        return shape

    def flops(self, shape: Shape) -> int:
        steps = shape[0]
        return 8 * steps * self.width**2 + 4 * steps**2 * self.width


@dataclass(frozen=True, kw_only=True)
class Recurrent(Layer):
    """What LSTM and GRU share: stacked layers of ``gates`` blocks each, zero initial state, two
    biases per layer, both trained. At a step that is not valid the state is held and the output
    is 0.
    """

    multiplies: ClassVar[bool] = True

    gates: ClassVar[int]

    input_size: int
    hidden_size: int
    num_layers: int

    def __post_init__(self) -> None:
        positive(self, input_size=self.input_size, hidden_size=self.hidden_size)
        positive(self, num_layers=self.num_layers)

    def parameters(self) -> dict[str, Parameter]:
        bound, rows = 1 / sqrt(self.hidden_size), self.gates * self.hidden_size
        found = {}
        for level in range(self.num_layers):
            width = self.input_size if level == 0 else self.hidden_size
            found[f"weight_ih_l{level}"] = Parameter(shape=(rows, width), bound=bound)
            found[f"weight_hh_l{level}"] = Parameter(shape=(rows, self.hidden_size), bound=bound)
            found[f"bias_ih_l{level}"] = Parameter(shape=(rows,), bound=bound)
            found[f"bias_hh_l{level}"] = Parameter(shape=(rows,), bound=bound)
        return found

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.input_size
        expect(self, fits, f"(steps, {self.input_size})", shape)
        return (shape[0], self.hidden_size)

    def flops(self, shape: Shape) -> int:
        weights = [p for p in self.parameters().values() if len(p.shape) == 2]
        return shape[0] * sum(2 * prod(p.shape) for p in weights)


@dataclass(frozen=True, kw_only=True)
class LSTM(Recurrent):
    """Long short-term memory (doi 10.1162/neco.1997.9.8.1735, with the forget gate of
    doi 10.1162/089976600300015015). Gates stand in the order i, f, g, o.
    """

    gates = 4


@dataclass(frozen=True, kw_only=True)
class GRU(Recurrent):
    """Gated recurrent unit (arXiv 1406.1078), the reset gate applied to the projected state, bias
    included: n = tanh(W_n x + b_in + r (U_n h + b_hn)), h = (1 - z) n + z h. Gates stand in the
    order r, z, n.
    """

    gates = 3


@dataclass(frozen=True, kw_only=True)
class LastStep(Layer):
    """The last valid step of each row; a row without one gives 0."""

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 2, "(steps, features)", shape)
        return shape[1:]

    def valid(self, *masks: Any) -> None:
        """No steps are left."""


@dataclass(frozen=True, kw_only=True)
class MeanSteps(Layer):
    """The mean over each row's valid steps; a row without one gives 0."""

    averages: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 2, "(steps, features)", shape)
        return shape[1:]

    def valid(self, *masks: Any) -> None:
        """No steps are left."""
