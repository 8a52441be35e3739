"""Layers on sequences as TensorFlow computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, affine, wide
from tasks import spec


class Sequence(Backend):
    """The lowerings."""

    target: str
    dtype: tf.DType
    constants: dict[str, tf.Tensor]

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.gather(parameters["weight"], x)

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        table = self._constant(f"positions.{x.shape[1]}.{layer.width}", layer.table(x.shape[1]))
        return x + tf.cast(table, x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.cast(wide(x) + wide(parameters["weight"]), x.dtype)

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        batch, steps, width = x.shape
        each = width // layer.heads

        def heads(name: str) -> tf.Tensor:
            y = affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            return tf.transpose(tf.reshape(y, (batch, steps, layer.heads, each)), (0, 2, 1, 3))

        mask = None
        if context.valid is not None:
            mask = context.valid[:, None, None, :]
        if layer.causal:
            causal = tf.constant(np.tri(steps, dtype=bool))
            mask = causal if mask is None else mask & causal
        scores = wide(tf.matmul(heads("query") * each**-0.5, heads("key"), transpose_b=True))
        if mask is None:
            weights = tf.nn.softmax(scores)
        else:
            # The least number, not -inf: a row that sees nothing must get 0 and no NaN gradient.
            weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
            weights = tf.where(mask, weights, 0.0)
        mixed = tf.matmul(tf.cast(weights, x.dtype), heads("value"))
        joined = tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (batch, steps, width))
        return affine(joined, parameters["output.weight"], parameters["output.bias"])

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if context.valid is None:
            return x[:, -1]
        last = tf.reduce_max(tf.where(context.valid, tf.range(x.shape[1]), -1), axis=1)
        picked = tf.gather(x, tf.maximum(last, 0), batch_dims=1)
        return tf.where(last[:, None] >= 0, picked, 0.0)

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if context.valid is None:
            return tf.reduce_mean(x, axis=1)
        counts = tf.reduce_sum(tf.cast(context.valid, x.dtype), axis=1, keepdims=True)
        total = tf.reduce_sum(tf.where(context.valid[..., None], x, 0.0), axis=1)
        return total / tf.maximum(counts, 1.0)

    def _constant(self, name: str, array: NDArray[Any]) -> tf.Tensor:
        """A float64 table in this program's precision, on its device; made once."""
        if name not in self.constants:
            with tf.init_scope(), tf.device(self.target):  # outside of any graph being traced
                self.constants[name] = tf.constant(array, self.dtype)
        return self.constants[name]
