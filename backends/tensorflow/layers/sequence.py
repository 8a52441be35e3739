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
        y = tf.gather(parameters["weight"], x)
        return y if layer.scale == 1 else tf.cast(wide(y) * layer.scale, y.dtype)

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        name = f"positions.{x.shape[1]}.{layer.width}.{layer.layout}"
        table = self._constant(name, layer.table(x.shape[1]))
        return x + tf.cast(table, x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        weight = wide(parameters["weight"])
        if layer.count == "valid" and context.valid is not None:
            count = tf.cumsum(tf.cast(context.valid, tf.int32), axis=1)
            at = layer.offset + tf.maximum(count - 1, 0)
            added = tf.where(context.valid[..., None], tf.gather(weight, at), 0.0)
        elif layer.table_rows == layer.steps:
            added = weight
        else:
            added = weight[layer.offset : layer.offset + layer.steps]
        return tf.cast(wide(x) + added, x.dtype)

    @lowers(spec.Rotary)
    def rotary(
        self, layer: spec.Rotary, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        steps = x.shape[-2]
        name = f"rotary.{steps}.{layer.width}.{layer.base}"
        cos, sin = tf.unstack(self._constant(name, layer.tables(steps)))
        halves, given = layer.layout == "halves", wide(x)
        a, b = tf.split(given, 2, axis=-1) if halves else (given[..., 0::2], given[..., 1::2])
        pair = a * cos - b * sin, a * sin + b * cos
        turned = tf.concat(pair, -1) if halves else tf.reshape(tf.stack(pair, -1), x.shape)
        return tf.cast(turned, x.dtype)

    @lowers(spec.Attention)
    def attention(
        self,
        layer: spec.Attention,
        parameters: Tensors,
        x: tf.Tensor | tuple[tf.Tensor, tf.Tensor],
        context: Context,
    ) -> tf.Tensor:
        first, memory = x if isinstance(x, tuple) else (x, x)
        valid = context.memory_valid if isinstance(x, tuple) else context.valid
        each = layer.head_width

        def heads(name: str, x: tf.Tensor, number: int) -> tf.Tensor:
            y = affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            y = tf.transpose(tf.reshape(y, (*x.shape[:2], number, each)), (0, 2, 1, 3))
            if layer.rotary is not None and name != "value":
                y = self.lowering(layer.rotary)(layer.rotary, {}, y, context)
            return y if number == layer.heads else tf.repeat(y, layer.heads // number, axis=1)

        mask = None
        if valid is not None:
            mask = valid[:, None, None, :]
        if layer.causal:
            causal = tf.constant(np.tri(first.shape[1], memory.shape[1], dtype=bool))
            mask = causal if mask is None else mask & causal
        query = heads("query", first, layer.heads) * each**-0.5
        key, value = (heads(name, memory, layer.shared_heads) for name in ("key", "value"))
        scores = wide(tf.matmul(query, key, transpose_b=True))
        if mask is None:
            weights = tf.nn.softmax(scores)
        else:
            # The least number, not -inf: a row that sees nothing must get 0 and no NaN gradient.
            weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
            weights = tf.where(mask, weights, 0.0)
        mixed = tf.matmul(tf.cast(weights, first.dtype), value)
        joined = tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), first.shape)
        return affine(joined, parameters["output.weight"], parameters.get("output.bias"))

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
