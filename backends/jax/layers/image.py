"""Layers on images as JAX computes them."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, plus
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(self, layer: spec.Conv2d, parameters: Arrays, x: Array, context: Context) -> Array:
        y = lax.conv_general_dilated(
            x,
            parameters["weight"],
            window_strides=spec.pair(layer.stride),
            padding=[(pad, pad) for pad in spec.pair(layer.padding)],
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=layer.groups,
        )
        return plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        # Not lax.reduce_window: its gradient, a select-and-scatter, is one scalar loop on the CPU
        # (34 ms against 0.4 ms for 2x2 windows of 128x24x24x32, JAX 0.10.2, two cores).
        y, *others = _windows(layer, x, -jnp.inf)
        for other in others:
            y = jnp.where((other > y) | jnp.isnan(other), other, y)  # a tie keeps the first
        return y

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        counts = layer.counts((layer.size, *x.shape[1:3]))[..., None].astype(x.dtype)
        # Of windows that overlap, lax.reduce_window takes 25 ms and its gradient 29 ms, these sums
        # 2 ms each (3x3 windows of 8x35x35x192); of others, of 8x8, its gradient takes 0.1 ms and
        # theirs 1.7 ms (32x8x8x64, JAX 0.10.2, two cores).
        if layer.stride < layer.size:
            first, *others = _windows(layer, x, 0.0)
            return sum(others, start=first) / counts
        size, stride = (1, layer.size, layer.size, 1), (1, layer.stride, layer.stride, 1)
        return lax.reduce_window(x, 0.0, lax.add, size, stride, _sides(layer)) / counts

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        if layer.over == "valid":
            return _steps_norm(layer, parameters, x, context)
        if context.training:
            mean = x.mean(axis=(0, 1, 2))
            variance = ((x - mean) ** 2).mean(axis=(0, 1, 2))
            count = x.size // layer.channels
            unbiased = variance * (count / (count - 1))
            for name, new in (("running_mean", mean), ("running_var", unbiased)):
                old = context.buffer(name)
                context.set_buffer(name, (1 - layer.momentum) * old + layer.momentum * new)
        else:
            mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        # One product and one sum for each value: a training step of cnn-small takes 0.82 of what it
        # takes with (x - mean) * scale + bias (JAX 0.10.2, two cores). Of values far from 0 both
        # lose digits alike, as the mean is rounded too (float32, 1000 deviations from 0: errors of
        # 2.2e-5 and 2.7e-5); the scale's gradient alone loses more (1.3e-4 and 2.9e-5).
        scale = lax.rsqrt(variance + layer.epsilon)
        if layer.scale:
            scale = parameters["weight"] * scale
        return x * scale + (parameters["bias"] - mean * scale)

    @lowers(spec.GroupNorm)
    def group_norm(
        self, layer: spec.GroupNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        grouped = x.reshape(*x.shape[:3], layer.groups, -1)
        centred = grouped - grouped.mean(axis=(1, 2, 4), keepdims=True)
        variance = (centred**2).mean(axis=(1, 2, 4), keepdims=True)
        scaled = (centred / jnp.sqrt(variance + layer.epsilon)).reshape(x.shape)
        return scaled * parameters["weight"] + parameters["bias"]

    @lowers(spec.Flatten)
    def flatten(self, layer: spec.Flatten, parameters: Arrays, x: Array, context: Context) -> Array:
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)  # channels slowest
        return x.reshape(len(x), -1)

    @lowers(spec.MeanPlaces)
    def mean_places(
        self, layer: spec.MeanPlaces, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return x.mean(axis=(1, 2))

    @lowers(spec.PlacesToSteps)
    def places_to_steps(
        self, layer: spec.PlacesToSteps, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return x.reshape(len(x), -1, x.shape[-1])


def _sides(layer: spec.MaxPool | spec.AvgPool) -> tuple[tuple[int, int], ...]:
    sides = (layer.padding, layer.padding)
    return ((0, 0), sides, sides, (0, 0))


def _windows(layer: spec.MaxPool | spec.AvgPool, x: Array, padding: float) -> list[Array]:
    """What stands at each place of a window, in row order: (batch, height, width, channels) of the
    result each.
    """
    x = jnp.pad(x, _sides(layer), constant_values=padding)
    rows, columns = (
        [slice(at, at + n - layer.size + 1, layer.stride) for at in range(layer.size)]
        for n in x.shape[1:3]
    )
    return [x[:, row, column] for row in rows for column in columns]


def _steps_norm(layer: spec.BatchNorm, parameters: Arrays, x: Array, context: Context) -> Array:
    """Batch norm of (batch, steps, channels) over valid steps."""
    valid = jnp.ones(x.shape[:2], bool) if context.valid is None else context.valid
    shown = valid[..., None]
    x = jnp.where(shown, x, 0.0)
    mean, variance = context.buffer("running_mean"), context.buffer("running_var")
    if context.training:
        count = jnp.maximum(valid.sum(), 1).astype(x.dtype)
        olds = {"running_mean": mean, "running_var": variance}
        mean = x.sum(axis=(0, 1)) / count
        variance = ((x - mean) ** 2).sum(axis=(0, 1), where=shown) / count
        unbiased = variance * (count / jnp.maximum(count - 1, 1))
        for (name, old), new in zip(olds.items(), (mean, unbiased), strict=True):
            context.set_buffer(name, (1 - layer.momentum) * old + layer.momentum * new)
    normal = (x - mean) * lax.rsqrt(variance + layer.epsilon)
    y = normal * parameters["weight"] if layer.scale else normal
    return jnp.where(shown, y + parameters["bias"], 0.0)
