"""Layers on images as NumPy computes them."""

from __future__ import annotations

import numpy as np

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Bools,
    Floats,
    Gradients,
    Lowered,
    Parameters,
    channel_gradient,
    channel_sums,
    convolution,
    padded_places,
    scattered,
    valid_steps,
    windows,
    without_padding,
)
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        stride, pad = spec.pair(layer.stride), spec.pair(layer.padding)
        return convolution(parameters, x, stride, pad, layer.groups)

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        size, stride, pad = map(spec.pair, (layer.size, layer.stride, layer.padding))
        padded = padded_places(x, pad, -np.inf)
        seen = windows(padded, size, stride)
        rows = seen.reshape(*seen.shape[:4], layer.size**2)
        first = rows.argmax(axis=-1)[..., None]  # the first of equals, in row order
        y = np.take_along_axis(rows, first, axis=-1)[..., 0]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            drows = (np.arange(layer.size**2) == first) * dy[..., None]
            dpadded = scattered(drows.reshape(seen.shape), padded.shape, stride)
            return without_padding(dpadded, pad), {}

        return y, vjp

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        size, stride, pad = map(spec.pair, (layer.size, layer.stride, layer.padding))
        padded = padded_places(x, pad)
        seen = windows(padded, size, stride)
        counts = layer.counts(x.shape[1:]).astype(x.dtype)

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            shared = np.broadcast_to((dy / counts)[..., None, None], seen.shape)
            return without_padding(scattered(shared, padded.shape, stride), pad), {}

        return seen.sum(axis=(4, 5)) / counts, vjp

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width), or (batch, steps, channels): images of a row."""
        if layer.over == "batch":
            return _batch_norm(layer, parameters, x, context)
        valid = valid_steps(context, x)[:, None, None]
        y, inner = _batch_norm(layer, parameters, _as_row(x), context, valid)

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dx, gradients = inner(_as_row(dy))
            return dx[:, :, 0].swapaxes(1, 2), gradients

        return y[:, :, 0].swapaxes(1, 2), vjp

    @lowers(spec.GroupNorm)
    def group_norm(
        self, layer: spec.GroupNorm, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        grouped = x.reshape(len(x), layer.groups, -1)
        deviation = grouped - grouped.mean(axis=-1, keepdims=True)
        root = np.sqrt((deviation**2).mean(axis=-1, keepdims=True) + layer.epsilon)
        flat = deviation / root
        normal = flat.reshape(x.shape)
        weight, bias = (parameters[name][:, None, None] for name in ("weight", "bias"))

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            dflat = (dy * weight).reshape(flat.shape)
            along = flat * (dflat * flat).mean(axis=-1, keepdims=True)
            dx = (dflat - dflat.mean(axis=-1, keepdims=True) - along) / root
            return dx.reshape(x.shape), {
                "weight": channel_gradient(dy * normal),
                "bias": channel_gradient(dy),
            }

        return normal * weight + bias, vjp

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """(batch, channels, height, width) is in the right order already."""
        return x.reshape(len(x), -1), lambda dy: (dy.reshape(x.shape), {})

    @lowers(spec.MeanPlaces)
    def mean_places(
        self, layer: spec.MeanPlaces, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        places = x.shape[2] * x.shape[3]

        def vjp(dy: Floats) -> tuple[Floats, Gradients]:
            return np.broadcast_to((dy / places)[:, :, None, None], x.shape), {}

        return x.mean(axis=(2, 3)), vjp

    @lowers(spec.PlacesToSteps)
    def places_to_steps(
        self, layer: spec.PlacesToSteps, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, channels, height, width)."""
        y = x.reshape(*x.shape[:2], -1).swapaxes(1, 2)
        return y, lambda dy: (dy.swapaxes(1, 2).reshape(x.shape), {})


def _as_row(x: Floats) -> Floats:
    """(batch, steps, channels) as (batch, channels, 1, steps)."""
    return x.swapaxes(1, 2)[:, :, None]


def _batch_norm(
    layer: spec.BatchNorm,
    parameters: Parameters,
    x: Floats,
    context: Context,
    valid: Bools | None = None,
) -> Lowered:
    """x is (batch, channels, height, width). What is not ``valid``, which is (batch, 1, height,
    width), counts for nothing and becomes 0.
    """
    count = x.size // layer.channels if valid is None else max(int(valid.sum()), 1)

    def kept(values: Floats) -> Floats:
        return values if valid is None else np.where(valid, values, values.dtype.type(0))

    def means(values: Floats) -> Floats:
        found: Floats = channel_sums(kept(values)) / count
        return found[:, None, None]

    x = kept(x)
    weight = parameters["weight"][:, None, None] if layer.scale else np.ones((), x.dtype)
    if context.training:
        mean = means(x)
        variance = means((x - mean) ** 2)
        for name, new in (
            ("running_mean", mean),
            ("running_var", variance * (count / max(count - 1, 1))),
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
        dy = kept(dy)
        dnormal = dy * weight
        if context.training:
            along = normal * means(dnormal * normal)
            dnormal = dnormal - means(dnormal) - along
        gradients = {"weight": channel_gradient(dy * normal)} if layer.scale else {}
        return kept(dnormal / root), gradients | {"bias": channel_gradient(dy)}

    return kept(normal * weight + parameters["bias"][:, None, None]), vjp
