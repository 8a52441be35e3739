"""Layers on images, shape (channels, height, width)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar

from tasks.spec.layer import Layer, Parameter, Shape, SpecError, expect, positive


@dataclass(frozen=True, kw_only=True)
class Conv2d(Layer):
    """Cross-correlation: y[o, i, j] = b[o] + Σ over c, u, v of w[o, c, u, v]
    x[c, si + u - p, sj + v - p].

    ``padding`` zeros stand on each of the four sides.
    """

    multiplies: ClassVar[bool] = True

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int = 0
    bias: bool = True

    def __post_init__(self) -> None:
        positive(self, in_channels=self.in_channels, out_channels=self.out_channels)
        positive(self, kernel_size=self.kernel_size, stride=self.stride)
        if self.padding < 0:
            raise SpecError(f"Conv2d: padding (={self.padding}) must not be negative")

    def parameters(self) -> dict[str, Parameter]:
        size = self.kernel_size
        bound = 1 / sqrt(self.in_channels * size * size)
        weight = Parameter(shape=(self.out_channels, self.in_channels, size, size), bound=bound)
        bias = {"bias": Parameter(shape=(self.out_channels,), bound=bound)} if self.bias else {}
        return {"weight": weight} | bias

    def output_shape(self, shape: Shape) -> Shape:
        least = self.kernel_size - 2 * self.padding
        fits = len(shape) == 3 and shape[0] == self.in_channels and min(shape[1:]) >= least
        expect(self, fits, f"({self.in_channels}, height >= {least}, width >= {least})", shape)
        size = [(n + 2 * self.padding - self.kernel_size) // self.stride + 1 for n in shape[1:]]
        return (self.out_channels, *size)

    def flops(self, shape: Shape) -> int:
        per_output = 2 * self.in_channels * self.kernel_size**2
        return per_output * prod(self.output_shape(shape))


@dataclass(frozen=True, kw_only=True)
class MaxPool(Layer):
    """The greatest value of each square window, without padding; what is left over is dropped.

    At a tie the gradient goes to the first index of the window, in row order.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        positive(self, size=self.size, stride=self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled(self, shape)


@dataclass(frozen=True, kw_only=True)
class AvgPool(Layer):
    """The mean of each square window, without padding; what is left over is dropped."""

    averages: ClassVar[bool] = True

    size: int
    stride: int

    def __post_init__(self) -> None:
        positive(self, size=self.size, stride=self.stride)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled(self, shape)


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias per channel (arXiv 1502.03167).

    In training the mean and the variance (divided by n) are those of the batch, over samples and
    places; the running statistics become (1 - momentum) old + momentum new, the new variance being
    the unbiased one (divided by n - 1). In evaluation the running statistics stand for both.
    """

    averages: ClassVar[bool] = True

    channels: int
    epsilon: float
    momentum: float

    def __post_init__(self) -> None:
        positive(self, channels=self.channels, epsilon=self.epsilon)
        if not 0 < self.momentum <= 1:
            raise SpecError(f"BatchNorm: momentum (={self.momentum}) must lie in (0, 1]")

    def parameters(self) -> dict[str, Parameter]:
        return {
            "weight": Parameter(shape=(self.channels,), bound=0.0, centre=1.0),
            "bias": Parameter(shape=(self.channels,), bound=0.0),
        }

    def buffers(self) -> dict[str, Parameter]:
        return {
            "running_mean": Parameter(shape=(self.channels,), bound=0.0),
            "running_var": Parameter(shape=(self.channels,), bound=0.0, centre=1.0),
        }

    def output_shape(self, shape: Shape) -> Shape:
        fits = len(shape) == 3 and shape[0] == self.channels
        expect(self, fits, f"({self.channels}, height, width)", shape)
        return shape

    def least_batch(self, shape: Shape) -> int:
        """One value of a channel has no variance that could be divided by n - 1."""
        return 2 if prod(shape[1:]) == 1 else 1


@dataclass(frozen=True, kw_only=True)
class Flatten(Layer):
    """(channels, height, width) becomes one axis, channels slowest."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def valid(self, *masks: Any) -> None:
        """No steps are left."""


def _pooled(layer: MaxPool | AvgPool, shape: Shape) -> Shape:
    size = layer.size
    fits = len(shape) == 3 and min(shape[1:]) >= size
    expect(layer, fits, f"(channels, height >= {size}, width >= {size})", shape)
    height, width = ((n - size) // layer.stride + 1 for n in shape[1:])
    return (shape[0], height, width)
