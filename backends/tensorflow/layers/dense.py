"""Layers on the last axis as TensorFlow computes them."""

from __future__ import annotations

import math

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, affine, wide
from tasks import spec


class Dense(Backend):
    """The lowerings."""

    @lowers(spec.ReLU)
    def relu(
        self, layer: spec.ReLU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.relu(x)

    @lowers(spec.Dropout)
    def dropout(
        self, layer: spec.Dropout, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if not (context.training and layer.random):
            return x
        # In float32: tf.nn.experimental.stateless_dropout draws in x's precision, and bfloat16 has
        # 128 values below 1, so that a rate of 0.1 is 0.1016.
        seed = context.random + tf.constant([context.number, 0], tf.int64)
        kept = tf.random.stateless_uniform(x.shape, seed) >= layer.rate
        return tf.where(kept, x / tf.constant(1 - layer.rate, x.dtype), tf.zeros((), x.dtype))

    @lowers(spec.GELU)
    def gelu(
        self, layer: spec.GELU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if x.dtype != tf.float64:
            return tf.cast(tf.nn.gelu(wide(x), layer.approximate), x.dtype)
        # By hand: tf.nn.gelu rounds its constants to float32 even under float64.
        if layer.approximate:
            root = tf.constant(math.sqrt(2 / math.pi), x.dtype)
            cubic = tf.constant(0.044715, x.dtype)
            return x * (1 + tf.tanh(root * (x + cubic * x**3))) / 2
        return x * (1 + tf.math.erf(x / tf.constant(math.sqrt(2), x.dtype))) / 2

    @lowers(spec.SiLU)
    def silu(
        self, layer: spec.SiLU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.cast(tf.nn.silu(wide(x)), x.dtype)

    @lowers(spec.Sigmoid)
    def sigmoid(
        self, layer: spec.Sigmoid, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.cast(tf.sigmoid(wide(x)), x.dtype)

    @lowers(spec.Tanh)
    def tanh(
        self, layer: spec.Tanh, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.cast(tf.tanh(wide(x)), x.dtype)

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return affine(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)  # two passes: exact enough
        normal = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
        return normal * parameters["weight"] + parameters["bias"]

    @lowers(spec.RMSNorm)
    def rms_norm(
        self, layer: spec.RMSNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        squares = tf.reduce_mean(tf.square(x), axis=-1, keepdims=True)
        return x * tf.math.rsqrt(squares + layer.epsilon) * parameters["weight"]
