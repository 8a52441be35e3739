"""Layers on images as TensorFlow computes them."""

from __future__ import annotations

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, plus
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        zeros = [layer.padding, layer.padding]
        padding = [[0, 0], zeros, zeros, [0, 0]]
        y = tf.nn.conv2d(x, parameters["weight"], strides=layer.stride, padding=padding)
        return plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.max_pool2d(x, layer.size, layer.stride, "VALID")

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.avg_pool2d(x, layer.size, layer.stride, "VALID")

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        run = _batch_norm_exact if x.dtype == tf.float64 else _batch_norm_fused
        mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        weight, bias = parameters["weight"], parameters["bias"]
        y, *new = run(x, weight, bias, mean, variance, layer.epsilon, context.training)
        if context.training:
            for name, old, value in zip(
                ("running_mean", "running_var"), (mean, variance), new, strict=True
            ):
                context.set_buffer(name, (1 - layer.momentum) * old + layer.momentum * value)
        return y

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if x.shape.rank == 4:
            x = tf.transpose(x, (0, 3, 1, 2))  # channels slowest
        return tf.reshape(x, (x.shape[0], -1))


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
