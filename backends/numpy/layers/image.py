"""Layers on images as NumPy computes them."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Floats,
    Gradient,
    Gradients,
    Lowered,
    Parameters,
    einsum,
    gradient,
)
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        weight, pad = parameters["weight"], layer.padding
        height, width = x.shape[2:]
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = _windows(padded, layer.kernel_size, layer.stride)
        y = einsum("ncijuv,ocuv->noij", windows, weight)
        if layer.bias:
            y = y + parameters["bias"][:, None, None]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dwindows = einsum("noij,ocuv->ncijuv", dy, weight)
            dpadded = _windows_transposed(dwindows, padded.shape, layer.stride)
            gradients = {"weight": gradient("noij,ncijuv->ocuv", dy, windows)}
            if layer.bias:
                gradients["bias"] = _channel_gradient(dy)
            return dpadded[:, :, pad : pad + height, pad : pad + width], gradients

        return y, vjp

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        windows = _windows(x, layer.size, layer.stride)
        rows = windows.reshape(*windows.shape[:4], layer.size**2)
        first = rows.argmax(axis=-1)[..., None]  # the first of equals, in row order
        y = np.take_along_axis(rows, first, axis=-1)[..., 0]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            drows = (np.arange(layer.size**2) == first) * dy[..., None]
            return _windows_transposed(drows.reshape(windows.shape), x.shape, layer.stride), {}

        return y, vjp

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        windows = _windows(x, layer.size, layer.stride)

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            shared = (dy / layer.size**2)[..., None, None]
            return _windows_transposed(
                np.broadcast_to(shared, windows.shape), x.shape, layer.stride
            ), {}

        return windows.mean(axis=(4, 5)), vjp

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        weight, bias = (parameters[name][:, None, None] for name in ("weight", "bias"))
        if context.training:
            mean = _channel_means(x)
            variance = _channel_means((x - mean) ** 2)
            count = x.size // layer.channels
            for name, new in (
                ("running_mean", mean),
                ("running_var", variance * (count / (count - 1))),
            ):
                old = context.buffer(name)
                new = (1 - layer.momentum) * old + layer.momentum * new[:, 0, 0]
                context.set_buffer(name, new)
        else:
            mean, variance = (
                context.buffer(name)[:, None, None] for name in ("running_mean", "running_var")
            )
        root = np.sqrt(variance + layer.epsilon)
        normal = (x - mean) / root

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dnormal = dy * weight
            if context.training:
                along = normal * _channel_means(dnormal * normal)
                dnormal = dnormal - _channel_means(dnormal) - along
            return dnormal / root, {
                "weight": _channel_gradient(dy * normal),
                "bias": _channel_gradient(dy),
            }

        return normal * weight + bias, vjp

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """(batch, channels, height, width) is in the right order already."""
        return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape), {})


def _channel_sums(values: Floats) -> Floats:
    """Pixel after pixel, as the frameworks' kernels add what lies channels last; along rows NumPy
    would add in pairs, which in float32 came 9 times closer to the truth than PyTorch, TensorFlow.
    """
    pixels = np.ascontiguousarray(values.transpose(0, 2, 3, 1)).reshape(-1, values.shape[1])
    return np.asarray(pixels.sum(axis=0))


def _channel_means(values: Floats) -> Floats:
    """As (channels, 1, 1)."""
    means: Floats = _channel_sums(values) / (values.size // values.shape[1])
    return means[:, None, None]


def _channel_gradient(terms: Floats) -> Gradient:
    return Gradient(_channel_sums(terms), lambda: _channel_sums(np.abs(terms)))


def _windows(x: Floats, size: int, stride: int) -> Floats:
    """(n, c, i, j, u, v) views of the images (n, c, height, width)."""
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def _windows_transposed(windows: Floats, shape: tuple[int, ...], stride: int) -> Floats:
    """Images to which every window added its values where it lay."""
    x = np.zeros(shape, windows.dtype)
    height, width, size, _ = windows.shape[2:]
    for u, v in np.ndindex(size, size):
        rows = slice(u, u + height * stride, stride)
        columns = slice(v, v + width * stride, stride)
        x[:, :, rows, columns] += windows[..., u, v]
    return x
