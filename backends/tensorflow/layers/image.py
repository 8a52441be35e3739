"""Layers on images as TensorFlow computes them."""

from __future__ import annotations

import math

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, convolution, plus
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        stride, padding = spec.pair(layer.stride), spec.pair(layer.padding)
        y = convolution(x, parameters["weight"], stride, padding, layer.groups, self.device)
        return plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if layer.padding:  # not max_pool2d's own: XLA has no pooling with explicit padding
            x = tf.pad(x, _sides(layer.padding), constant_values=-math.inf)
        return tf.nn.max_pool2d(x, layer.size, layer.stride, "VALID")

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if layer.padding:
            counts = layer.counts((layer.size, *x.shape[1:3]))[..., None]
            x = tf.pad(x, _sides(layer.padding))
        y = tf.nn.avg_pool2d(x, layer.size, layer.stride, "VALID")
        if layer.count_padding or not layer.padding:
            return y
        return y * tf.constant(layer.size**2 / counts, x.dtype)

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if layer.over == "valid":
            return _steps_norm(layer, parameters, x, context)
        run = _batch_norm_exact if x.dtype == tf.float64 else _batch_norm_fused
        mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        bias = parameters["bias"]
        weight = parameters["weight"] if layer.scale else tf.ones_like(bias)
        y, *new = run(x, weight, bias, mean, variance, layer.epsilon, context.training)
        if context.training:
            for name, old, value in zip(
                ("running_mean", "running_var"), (mean, variance), new, strict=True
            ):
                context.set_buffer(name, (1 - layer.momentum) * old + layer.momentum * value)
        return y

    @lowers(spec.GroupNorm)
    def group_norm(
        self, layer: spec.GroupNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        each = layer.channels // layer.groups
        grouped = tf.reshape(x, (*x.shape[:3], layer.groups, each))
        mean, variance = tf.nn.moments(grouped, axes=[1, 2, 4], keepdims=True)
        normal = (grouped - mean) * tf.math.rsqrt(variance + layer.epsilon)
        return tf.reshape(normal, x.shape) * parameters["weight"] + parameters["bias"]

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if x.shape.rank == 4:
            x = tf.transpose(x, (0, 3, 1, 2))  # channels slowest
        return tf.reshape(x, (x.shape[0], -1))

    @lowers(spec.MeanPlaces)
    def mean_places(
        self, layer: spec.MeanPlaces, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.reduce_mean(x, axis=(1, 2))

    @lowers(spec.PlacesToSteps)
    def places_to_steps(
        self, layer: spec.PlacesToSteps, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.reshape(x, (x.shape[0], -1, x.shape[3]))


def _sides(padding: int) -> list[list[int]]:
    return [[0, 0], [padding, padding], [padding, padding], [0, 0]]


def _batch_norm_fused(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
    training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The output, and in training the batch's mean and unbiased variance."""
    if training:
        mean, variance = tf.zeros((0,), x.dtype), tf.zeros((0,), x.dtype)
    found = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=weight,
        offset=bias,
        mean=mean,
        variance=variance,
        epsilon=epsilon,
        is_training=training,
    )
    return found.y, found.batch_mean, found.batch_variance


def _batch_norm_exact(
    x: tf.Tensor,
    weight: tf.Tensor,
    bias: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    epsilon: float,
    training: bool,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The same for float64, which the kernel refuses."""
    unbiased = variance
    if training:
        mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
        count = x.shape[0] * x.shape[1] * x.shape[2]
        unbiased = variance * (count / (count - 1))
    y = (x - mean) * (weight * tf.math.rsqrt(variance + epsilon)) + bias
    return y, mean, unbiased


def _steps_norm(
    layer: spec.BatchNorm, parameters: Tensors, x: tf.Tensor, context: Context
) -> tf.Tensor:
    """Batch norm of (batch, steps, channels) over valid steps."""
    valid = tf.ones(x.shape[:2], tf.bool) if context.valid is None else context.valid
    shown = valid[..., None]
    x = tf.where(shown, x, 0.0)
    mean, variance = context.buffer("running_mean"), context.buffer("running_var")
    if context.training:
        count = tf.maximum(tf.reduce_sum(tf.cast(valid, x.dtype)), 1.0)
        olds = {"running_mean": mean, "running_var": variance}
        mean = tf.reduce_sum(x, axis=(0, 1)) / count
        squares = tf.where(shown, (x - mean) ** 2, 0.0)
        variance = tf.reduce_sum(squares, axis=(0, 1)) / count
        unbiased = variance * (count / tf.maximum(count - 1, 1.0))
        for (name, old), new in zip(olds.items(), (mean, unbiased), strict=True):
            context.set_buffer(name, (1 - layer.momentum) * old + layer.momentum * new)
    normal = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
    y = normal * parameters["weight"] if layer.scale else normal
    return tf.where(shown, y + parameters["bias"], 0.0)
