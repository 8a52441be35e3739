"""Layers on images, shape (channels, height, width)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from tasks.spec.layer import (
    Layer,
    Parameter,
    Shape,
    SpecError,
    divided,
    expect,
    one_of,
    positive,
    started,
)

Size = int | tuple[int, int]


def pair(size: Size) -> tuple[int, int]:
    """(height, width) of what one number may say of both."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True, kw_only=True)
class Conv2d(Layer):
    """Cross-correlation: y[o, i, j] = b[o] + Σ over c, u, v of w[o, c, u, v]
    x[c, si + u - p, sj + v - p].

    ``padding`` zeros stand on each of the four sides. ``kernel_size``, ``stride`` and ``padding``
    are one number or (height, width). Of ``groups`` equal groups of channels in their order, o sees
    the c of its own group only; with as many groups as channels it is a depthwise convolution.
    """

    multiplies: ClassVar[bool] = True

    in_channels: int
    out_channels: int
    kernel_size: Size
    stride: Size = 1
    padding: Size = 0
    bias: bool = True
    groups: int = 1
    truncated_normal: float | None = None

    def __post_init__(self) -> None:
        positive(self, truncated_normal=self.truncated_normal)
        positive(self, in_channels=self.in_channels, out_channels=self.out_channels)
        positive(self, groups=self.groups)
        _sizes(self, 1, kernel_size=self.kernel_size, stride=self.stride)
        _sizes(self, 0, padding=self.padding)
        divided(self, self.groups, in_channels=self.in_channels, out_channels=self.out_channels)

    def parameters(self) -> dict[str, Parameter]:
        seen = (self.in_channels // self.groups, *pair(self.kernel_size))
        bound = 1 / sqrt(prod(seen))
        biases = bound if self.truncated_normal is None else 0.0
        weight = started((self.out_channels, *seen), bound, self.truncated_normal)
        bias = {"bias": Parameter(shape=(self.out_channels,), bound=biases)} if self.bias else {}
        return {"weight": weight} | bias

    def output_shape(self, shape: Shape) -> Shape:
        kernel, padding = pair(self.kernel_size), pair(self.padding)
        least = [size - 2 * pad for size, pad in zip(kernel, padding, strict=True)]
        fits = len(shape) == 3 and shape[0] == self.in_channels
        fits = fits and shape[1] >= least[0] and shape[2] >= least[1]
        wanted = f"({self.in_channels}, height >= {least[0]}, width >= {least[1]})"
        expect(self, fits, wanted, shape)
        steps = pair(self.stride)
        height, width = (
            (n - few) // step + 1 for n, few, step in zip(shape[1:], least, steps, strict=True)
        )
        return (self.out_channels, height, width)

    def flops(self, shape: Shape) -> int:
        seen = self.in_channels // self.groups * prod(pair(self.kernel_size))
        return 2 * seen * prod(self.output_shape(shape))


@dataclass(frozen=True, kw_only=True)
class MaxPool(Layer):
    """The greatest value of each square window; what is left over is dropped.

    ``padding`` places on each of the four sides stand for -inf. At a tie the gradient goes to the
    first index of the window, in row order.
    """

    size: int
    stride: int
    padding: int = 0

    def __post_init__(self) -> None:
        _check_pool(self)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled(self, shape)


@dataclass(frozen=True, kw_only=True)
class AvgPool(Layer):
    """The mean of each square window; what is left over is dropped.

    ``padding`` places on each of the four sides are 0. With ``count_padding`` the sum is divided by
    the size of the window, without it by how many of its places lie in the image.
    """

    averages: ClassVar[bool] = True

    size: int
    stride: int
    padding: int = 0
    count_padding: bool = True

    def __post_init__(self) -> None:
        _check_pool(self)

    def output_shape(self, shape: Shape) -> Shape:
        return _pooled(self, shape)

    def counts(self, shape: Shape) -> NDArray[np.int64]:
        """By what each window's sum is divided: (height, width) of the result, or one number."""
        if self.count_padding or not self.padding:
            return np.array(self.size**2)
        _, *made = self.output_shape(shape)
        along = []
        for n, places in zip(shape[1:], made, strict=True):
            start = self.stride * np.arange(places) - self.padding
            along.append(np.minimum(start + self.size, n) - np.maximum(start, 0))
        counts: NDArray[np.int64] = np.multiply.outer(*along)
        return counts


@dataclass(frozen=True, kw_only=True)
class BatchNorm(Layer):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias per channel (arXiv 1502.03167), without
    ``scale`` no weight.

    In training the mean and the variance (divided by n) are those of the batch, over samples and
    places; the running statistics become (1 - momentum) old + momentum new, the new variance being
    the unbiased one (divided by n - 1). In evaluation the running statistics stand for both.

    ``over="valid"`` takes sequences (steps, channels) in place of images. Both statistics are then
    over the samples' valid steps alone, and the output is 0 at the others. One valid step in all
    has the variance 0, and so has none, whose mean is 0 too.
    """

    averages: ClassVar[bool] = True

    channels: int
    epsilon: float
    momentum: float
    scale: bool = True
    over: Literal["batch", "valid"] = "batch"

    def __post_init__(self) -> None:
        positive(self, channels=self.channels, epsilon=self.epsilon)
        one_of(self, "over", "batch", "valid")
        if not 0 < self.momentum <= 1:
            raise SpecError(f"BatchNorm: momentum (={self.momentum}) must lie in (0, 1]")

    def parameters(self) -> dict[str, Parameter]:
        weight = {"weight": Parameter(shape=(self.channels,), bound=0.0, centre=1.0)}
        bias = {"bias": Parameter(shape=(self.channels,), bound=0.0)}
        return weight | bias if self.scale else bias

    def buffers(self) -> dict[str, Parameter]:
        return {
            "running_mean": Parameter(shape=(self.channels,), bound=0.0),
            "running_var": Parameter(shape=(self.channels,), bound=0.0, centre=1.0),
        }

    def output_shape(self, shape: Shape) -> Shape:
        if self.over == "valid":
            fits = len(shape) == 2 and shape[1] == self.channels
            expect(self, fits, f"(steps, {self.channels})", shape)
            return shape
        fits = len(shape) == 3 and shape[0] == self.channels
        expect(self, fits, f"({self.channels}, height, width)", shape)
        return shape

    def least_batch(self, shape: Shape) -> int:
        """One value of a channel has no variance that could be divided by n - 1."""
        return 2 if prod(shape) == self.channels else 1


@dataclass(frozen=True, kw_only=True)
class GroupNorm(Layer):
    """(x - mean) / sqrt(variance + epsilon) * weight + bias; mean and variance (divided by n) are
    of all values of a group of channels of one sample (arXiv 1803.08494).
    """

    averages: ClassVar[bool] = True

    channels: int
    groups: int
    epsilon: float

    def __post_init__(self) -> None:
        positive(self, channels=self.channels, groups=self.groups, epsilon=self.epsilon)
        divided(self, self.groups, channels=self.channels)

    def parameters(self) -> dict[str, Parameter]:
        return {
            "weight": Parameter(shape=(self.channels,), bound=0.0, centre=1.0),
            "bias": Parameter(shape=(self.channels,), bound=0.0),
        }

    def output_shape(self, shape: Shape) -> Shape:
        takes = len(shape) == 3 and shape[0] == self.channels
        expect(self, takes, f"({self.channels}, height, width)", shape)
        return shape


@dataclass(frozen=True, kw_only=True)
class Flatten(Layer):
    """(channels, height, width) becomes one axis, channels slowest."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def valid(self, *masks: Any) -> None:
        """No steps are left."""


@dataclass(frozen=True, kw_only=True)
class MeanPlaces(Layer):
    """The mean over height and width, whatever they are: global average pooling."""

    averages: ClassVar[bool] = True

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 3, "(channels, height, width)", shape)
        return shape[:1]


@dataclass(frozen=True, kw_only=True)
class PlacesToSteps(Layer):
    """(channels, height, width) becomes (height * width steps, channels), row after row."""

    def output_shape(self, shape: Shape) -> Shape:
        expect(self, len(shape) == 3, "(channels, height, width)", shape)
        return (shape[1] * shape[2], shape[0])


def _sizes(layer: Layer, least: int, **sizes: Size) -> None:
    """Raise SpecError unless each is one number or two, at least ``least``."""
    for name, size in sizes.items():
        both = pair(size)
        if len(both) != 2 or min(both) < least:
            wanted = f"a number, or (height, width), of at least {least}"
            raise SpecError(f"{type(layer).__name__}: {name} (={size}) must be {wanted}")


def _check_pool(layer: MaxPool | AvgPool) -> None:
    positive(layer, size=layer.size, stride=layer.stride)
    if not 0 <= 2 * layer.padding <= layer.size:  # else a window lies outside of the image
        wanted = f"between 0 and half of size (={layer.size})"
        raise SpecError(f"{type(layer).__name__}: padding (={layer.padding}) must be {wanted}")


def _pooled(layer: MaxPool | AvgPool, shape: Shape) -> Shape:
    over = layer.size - 2 * layer.padding
    least = max(over, 1)
    fits = len(shape) == 3 and min(shape[1:]) >= least
    expect(layer, fits, f"(channels, height >= {least}, width >= {least})", shape)
    height, width = ((n - over) // layer.stride + 1 for n in shape[1:])
    return (shape[0], height, width)
