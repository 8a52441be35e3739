"""Layers on the last axis, whatever stands before it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import ClassVar

from tasks.spec.layer import Layer, Parameter, Shape, SpecError, expect, positive, started


@dataclass(frozen=True, kw_only=True)
class ReLU(Layer):
    """max(x, 0). Its slope at 0 is 0."""


@dataclass(frozen=True, kw_only=True)
class GELU(Layer):
    """x Φ(x), Φ being the normal distribution (arXiv 1606.08415); with ``approximate``
    x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³))), which differs by up to 4.7e-4.
    """

    approximate: bool = False


@dataclass(frozen=True, kw_only=True)
class SiLU(Layer):
    """x / (1 + exp(-x)), also called Swish (arXiv 1710.05941). Times another value, by
    ``Multiply``, it is the gate of SwiGLU (arXiv 2002.05202).
    """


@dataclass(frozen=True, kw_only=True)
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, kw_only=True)
class Tanh(Layer):
    """tanh(x)."""


@dataclass(frozen=True, kw_only=True)
class Dropout(Layer):
    """In training every value becomes 0 with probability ``rate``, each by itself, and else
    x / (1 - rate) (Srivastava et al. 2014, scaled in training). In evaluation it is x.

    The numbers are the framework's own. They follow from the training's seed, the step and the
    layer's path alone: a step that is made again from the same state draws the same.
    """

    rate: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise SpecError(f"Dropout: rate (={self.rate}) must lie in [0, 1)")

    @property
    def random(self) -> bool:
        return self.rate > 0


@dataclass(frozen=True, kw_only=True)
class Linear(Layer):
    """x Wᵀ + b on the last axis."""

    multiplies: ClassVar[bool] = True

    in_features: int
    out_features: int
    bias: bool = True
    truncated_normal: float | None = None

    def __post_init__(self) -> None:
        positive(self, truncated_normal=self.truncated_normal)
        positive(self, in_features=self.in_features, out_features=self.out_features)

    def parameters(self) -> dict[str, Parameter]:
        bound = 1 / sqrt(self.in_features)
        biases = bound if self.truncated_normal is None else 0.0
        shape = (self.out_features, self.in_features)
        weight = started(shape, bound, self.truncated_normal)
        bias = {"bias": Parameter(shape=(self.out_features,), bound=biases)} if self.bias else {}
        return {"weight": weight} | bias

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) > 0 and shape[-1] == self.in_features
        expect(self, fits, f"(..., {self.in_features})", shape)
        return (*shape[:-1], self.out_features)

    def flops(self, shape: Shape) -> int:
        return 2 * prod(shape) * self.out_features


@dataclass(frozen=True, kw_only=True)
class LayerNorm(Layer):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis (arXiv 1607.06450).

    The variance is the mean squared deviation (divided by n, not n - 1).
    """

    averages: ClassVar[bool] = True

    width: int
    epsilon: float

    def __post_init__(self) -> None:
        positive(self, width=self.width, epsilon=self.epsilon)

    def parameters(self) -> dict[str, Parameter]:
        return {
            "weight": Parameter(shape=(self.width,), bound=0.0, centre=1.0),
            "bias": Parameter(shape=(self.width,), bound=0.0),
        }

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, bool(shape) and shape[-1] == self.width, f"(..., {self.width})", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class RMSNorm(Layer):
    """x / sqrt(mean of squares + epsilon) * weight over the last axis (arXiv 1910.07467)."""

    averages: ClassVar[bool] = True

    width: int
    epsilon: float

    def __post_init__(self) -> None:
        positive(self, width=self.width, epsilon=self.epsilon)

    def parameters(self) -> dict[str, Parameter]:
        return {"weight": Parameter(shape=(self.width,), bound=0.0, centre=1.0)}

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, bool(shape) and shape[-1] == self.width, f"(..., {self.width})", shape)
        return shape
