"""Layers on sequences, shape (steps, features).

A batch may say which steps are valid; rows may be padded on either side.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.spec.layer import Layer, Parameter, Shape, SpecError, expect, one_of, positive, started


@dataclass(frozen=True, kw_only=True)
class Embedding(Layer):
    """Row ``id`` of a table, times ``scale`` (the root of the width in arXiv 1706.03762, section
    3.4; a table that is the head's weight too has no scale there). Initial values are uniform
    around 0, their standard deviation is ``initial_deviation``.
    """

    vocabulary: int
    width: int
    initial_deviation: float = 1.0
    scale: float = 1.0
    truncated_normal: float | None = None

    def __post_init__(self) -> None:
        deviation = self.initial_deviation
        positive(self, truncated_normal=self.truncated_normal)
        positive(self, vocabulary=self.vocabulary, width=self.width, initial_deviation=deviation)
        positive(self, scale=self.scale)

    def parameters(self) -> dict[str, Parameter]:
        bound = sqrt(3) * self.initial_deviation
        shape = (self.vocabulary, self.width)
        return {"weight": started(shape, bound, self.truncated_normal)}

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 1, "(steps,)", shape)
        return (*shape, self.width)


@dataclass(frozen=True, kw_only=True)
class PositionalEncoding(Layer):
    """Adds sin(t / 10000^(2i/width)) to feature 2i and the cosine of the same to feature 2i + 1
    (arXiv 1706.03762, section 3.5). In ``halves`` all sines stand before all cosines, as in Marian
    (arXiv 1804.00344, its published code). The table is made in float64 and rounded once.
    """

    width: int
    layout: Literal["interleaved", "halves"] = "interleaved"

    def __post_init__(self) -> None:
        positive(self, width=self.width)
        one_of(self, "layout", "interleaved", "halves")
        if self.width % 2:
            raise SpecError(f"PositionalEncoding: width (={self.width}) must be even")

    def table(self, steps: int) -> NDArray[np.float64]:
        """What is added, (steps, width)."""
        angles = np.arange(steps)[:, None] / 10_000 ** (np.arange(0, self.width, 2) / self.width)
        waves = np.sin(angles), np.cos(angles)
        if self.layout == "halves":
            return np.concatenate(waves, axis=-1)
        return np.stack(waves, axis=-1).reshape(steps, self.width)

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.width
        expect(self, fits, f"(steps, {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class PositionalEmbedding(Layer):
    """Adds a trained row to every step; initial values as Embedding.

    Step t gets row ``offset`` + t, the same in all sequences. With ``count="valid"`` t counts the
    valid steps alone, and a step that is not valid is left as it is: RoBERTa's, with an offset of 2
    (arXiv 1907.11692, its published code). The table has ``rows``, or as many as are needed.
    """

    steps: int
    width: int
    initial_deviation: float = 1.0
    offset: int = 0
    count: Literal["all", "valid"] = "all"
    rows: int | None = None
    truncated_normal: float | None = None

    def __post_init__(self) -> None:
        deviation = self.initial_deviation
        positive(self, truncated_normal=self.truncated_normal)
        positive(self, steps=self.steps, width=self.width, initial_deviation=deviation)
        one_of(self, "count", "all", "valid")
        if self.offset < 0 or self.offset + self.steps > self.table_rows:
            rows = f"the {self.table_rows} rows"
            raise SpecError(
                f"PositionalEmbedding: offset (={self.offset}) must leave {self.steps} of {rows}"
            )

    @property
    def table_rows(self) -> int:
        """How many rows the table has."""
        return self.offset + self.steps if self.rows is None else self.rows

    def parameters(self) -> dict[str, Parameter]:
        bound = sqrt(3) * self.initial_deviation
        shape = (self.table_rows, self.width)
        return {"weight": started(shape, bound, self.truncated_normal)}

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, shape == (self.steps, self.width), f"({self.steps}, {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class Rotary(Layer):
    """Turns the features of step t in pairs: pair i by the angle t / base^(2i/width)
    (arXiv 2104.09864, section 3.2.2). (a, b) becomes (a cos - b sin, a sin + b cos).

    In ``halves`` feature i stands with feature i + width/2, as in LLaMA's and GPT-NeoX's
    checkpoints at Hugging Face; in ``pairs`` feature 2i with feature 2i + 1, as in the paper. The
    tables are made in float64 and rounded once. Steps stand before features, whatever before them.
    """

    width: int
    base: float = 10_000.0
    layout: Literal["halves", "pairs"] = "halves"

    def __post_init__(self) -> None:
        positive(self, width=self.width, base=self.base)
        one_of(self, "layout", "halves", "pairs")
        if self.width % 2:
            raise SpecError(f"Rotary: width (={self.width}) must be even")

    def tables(self, steps: int) -> NDArray[np.float64]:
        """The cosines and the sines of every step's pairs, (2, steps, width / 2)."""
        angles = np.arange(steps)[:, None] / self.base ** (np.arange(0, self.width, 2) / self.width)
        return np.stack([np.cos(angles), np.sin(angles)])

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.width
        expect(self, fits, f"(steps, {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class Attention(Layer):
    """Multi-head attention: softmax(Q Kᵀ / sqrt(width / heads)) V, then the output projection
    (arXiv 1706.03762, section 3.2). Of two values the second is the memory that keys and values are
    made of, in place of the first; steps of it that are not valid are seen by none.

    ``causal`` lets step t see the steps up to t only; steps that are not valid are seen by none. A
    row that sees no step attends to nothing: it projects a zero. Heads are consecutive slices of
    the features. Of ``key_value_heads`` each serves as many consecutive heads (arXiv 2305.13245);
    None is one for every head. ``rotary`` turns every head's queries and keys; both count their
    positions from 0. Keys have no bias, because softmax cancels it; ``key_bias`` adds it for
    checkpoints that have one. Without ``biases`` no projection has any.
    """

    multiplies: ClassVar[bool] = True
    takes: ClassVar[tuple[int, float]] = (1, 2)

    width: int
    heads: int
    causal: bool = False
    key_value_heads: int | None = None
    key_bias: bool = False
    biases: bool = True
    rotary: Rotary | None = None
    truncated_normal: float | None = None

    def __post_init__(self) -> None:
        positive(self, truncated_normal=self.truncated_normal)
        positive(self, width=self.width, heads=self.heads)
        positive(self, key_value_heads=self.shared_heads)
        if self.width % self.heads:
            raise SpecError(
                f"Attention: width (={self.width}) must be divisible by heads (={self.heads})"
            )
        if self.heads % self.shared_heads:
            raise SpecError(
                f"Attention: heads (={self.heads}) must be divisible by key_value_heads "
                f"(={self.key_value_heads})"
            )
        if self.key_bias and not self.biases:
            raise SpecError("Attention: key_bias (=True) must go with biases (=True)")
        if self.rotary is not None and self.rotary.width != self.head_width:
            raise SpecError(
                f"Attention: the width of rotary (={self.rotary.width}) must be a head's "
                f"(={self.head_width})"
            )

    @property
    def head_width(self) -> int:
        """How many features a head has."""
        return self.width // self.heads

    @property
    def shared_heads(self) -> int:
        """How many heads keys and values have."""
        return self.heads if self.key_value_heads is None else self.key_value_heads

    def parameters(self) -> dict[str, Parameter]:
        bound, narrow = 1 / sqrt(self.width), self.shared_heads * self.head_width
        biases = bound if self.truncated_normal is None else 0.0
        found = {}
        for name, rows in (
            ("query", self.width),
            ("key", narrow),
            ("value", narrow),
            ("output", self.width),
        ):
            found[f"{name}.weight"] = started((rows, self.width), bound, self.truncated_normal)
            if self.key_bias if name == "key" else self.biases:
                found[f"{name}.bias"] = Parameter(shape=(rows,), bound=biases)
        return found

    def output_shape(self, *shapes: Shape) -> Shape:
        for shape in shapes:
            fits = len(shape) == 2 and shape[1] == self.width
            expect(self, fits, f"(steps, {self.width})", shape)
        return shapes[0]

    def flops(self, *shapes: Shape) -> int:
        steps, seen = shapes[0][0], shapes[-1][0]
        narrow = self.shared_heads * self.head_width
        projections = 4 * self.width * (steps * self.width + seen * narrow)
        return projections + 4 * steps * seen * self.width


@dataclass(frozen=True, kw_only=True)
class Recurrent(Layer):
    """What LSTM and GRU share: stacked layers of ``gates`` blocks each, zero initial state, two
    biases per layer, both trained. At a step that is not valid the state is held and the output
    is 0.

    A ``bidirectional`` layer reads its steps backward too, from the last valid one on, with
    parameters that end in ``_reverse`` (doi 10.1016/j.neunet.2005.06.042). What both directions
    give at a step is joined, the forward one first; the next layer takes that.
    """

    multiplies: ClassVar[bool] = True

    gates: ClassVar[int]

    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool = False

    def __post_init__(self) -> None:
        positive(self, input_size=self.input_size, hidden_size=self.hidden_size)
        positive(self, num_layers=self.num_layers)

    def levels(self) -> list[tuple[str, ...]]:
        """Of every layer the ends of its directions' parameters: ``l0``, ``l0_reverse``."""
        ways = ("", "_reverse") if self.bidirectional else ("",)
        return [tuple(f"l{level}{way}" for way in ways) for level in range(self.num_layers)]

    def parameters(self) -> dict[str, Parameter]:
        bound, rows = 1 / sqrt(self.hidden_size), self.gates * self.hidden_size
        found, width = {}, self.input_size
        for level in self.levels():
            for end in level:
                found[f"weight_ih_{end}"] = Parameter(shape=(rows, width), bound=bound)
                found[f"weight_hh_{end}"] = Parameter(shape=(rows, self.hidden_size), bound=bound)
                found[f"bias_ih_{end}"] = Parameter(shape=(rows,), bound=bound)
                found[f"bias_hh_{end}"] = Parameter(shape=(rows,), bound=bound)
            width = len(level) * self.hidden_size
        return found

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 2 and shape[1] == self.input_size
        expect(self, fits, f"(steps, {self.input_size})", shape)
        return (shape[0], self.hidden_size * (1 + self.bidirectional))

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
