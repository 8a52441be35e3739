"""Each layer type as TensorFlow computes it. Images are (batch, height, width, channels), sequences
(batch, steps, features).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from backends.base import Backend, Context, lowers
from tasks import spec

Tensors = dict[str, tf.Tensor]

# An LSTM of at most so many steps is unrolled: a quarter faster than a loop at 3 steps in training,
# but 1.6 times as slow at 16, and at 64 nine times, after minutes of compiling.
_UNROLLED_STEPS = 8


class Layers(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        zeros = [layer.padding, layer.padding]
        padding = [[0, 0], zeros, zeros, [0, 0]]
        y = tf.nn.conv2d(x, parameters["weight"], strides=layer.stride, padding=padding)
        return tf.nn.bias_add(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.max_pool2d(x, layer.size, layer.stride, "VALID")

    @lowers(spec.ReLU)
    def relu(
        self, layer: spec.ReLU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.relu(x)

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if x.shape.rank == 4:
            x = tf.transpose(x, (0, 3, 1, 2))  # channels slowest
        return tf.reshape(x, (x.shape[0], -1))

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return _linear(x, parameters["weight"], parameters.get("bias"))

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
        return x + table

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        mean, variance = tf.nn.moments(x, axes=[-1], keepdims=True)  # two passes: exact enough
        normal = (x - mean) * tf.math.rsqrt(variance + layer.epsilon)
        return normal * parameters["weight"] + parameters["bias"]

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        batch, steps, width = x.shape
        each = width // layer.heads

        def heads(name: str) -> tf.Tensor:
            y = _linear(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            return tf.transpose(tf.reshape(y, (batch, steps, layer.heads, each)), (0, 2, 1, 3))

        mask = None
        if context.valid is not None:
            mask = context.valid[:, None, None, :]
        if layer.causal:
            causal = tf.constant(np.tri(steps, dtype=bool))
            mask = causal if mask is None else mask & causal
        scores = tf.matmul(heads("query") * each**-0.5, heads("key"), transpose_b=True)
        if mask is None:
            weights = tf.nn.softmax(scores)
        else:
            # The least number, not -inf: a row that sees nothing must get 0 and no NaN gradient.
            weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
            weights = tf.where(mask, weights, 0.0)
        mixed = tf.matmul(weights, heads("value"))
        joined = tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (batch, steps, width))
        return _linear(joined, parameters["output.weight"], parameters["output.bias"])

    @lowers(spec.LSTM)
    def lstm(
        self, layer: spec.LSTM, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        y = tf.transpose(x, (1, 0, 2))  # steps first: each is then one slice of memory
        valid = None if context.valid is None else tf.transpose(context.valid)[..., None]
        for level in range(layer.num_layers):
            weight, bias = parameters[f"weight_ih_l{level}"], parameters[f"bias_ih_l{level}"]
            projected = _linear(y, weight, bias + parameters[f"bias_hh_l{level}"])  # all at once
            y = _lstm_steps(projected, tf.transpose(parameters[f"weight_hh_l{level}"]), valid)
        if valid is not None:
            y = tf.where(valid, y, 0.0)
        return tf.transpose(y, (1, 0, 2))

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

    def _constant(self, name: str, array: np.ndarray) -> tf.Tensor:
        """A float64 table in this program's precision, on its device; made once."""
        if name not in self.constants:
            with tf.init_scope(), tf.device(self.target):  # outside of any graph being traced
                self.constants[name] = tf.constant(array, self.dtype)
        return self.constants[name]


def _linear(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """As one matrix product: of three axes, TensorFlow would make a product per sample."""
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), weight, transpose_b=True)
    if bias is not None:
        y = tf.nn.bias_add(y, bias)
    return tf.reshape(y, (*x.shape[:-1], weight.shape[0]))


def _lstm_steps(projected: tf.Tensor, recurrent: tf.Tensor, valid: tf.Tensor | None) -> tf.Tensor:
    """The outputs of one level. Steps stand first here; the state is held where not valid."""
    steps, batch, _ = projected.shape
    start = tf.zeros((batch, recurrent.shape[0]), projected.dtype)

    def advance(given: tf.Tensor, on: tf.Tensor | None, h: tf.Tensor, c: tf.Tensor):
        i, f, g, o = tf.split(given + tf.matmul(h, recurrent), 4, axis=1)
        new_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        new_h = tf.sigmoid(o) * tf.tanh(new_c)
        if on is None:
            return new_h, new_c
        return tf.where(on, new_h, h), tf.where(on, new_c, c)

    if steps <= _UNROLLED_STEPS:
        h = c = start
        outputs = []
        ons = [None] * steps if valid is None else tf.unstack(valid)
        for given, on in zip(tf.unstack(projected), ons, strict=True):
            h, c = advance(given, on, h, c)
            outputs.append(h)
        return tf.stack(outputs)

    def body(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray):
        h, c = advance(projected[t], None if valid is None else valid[t], h, c)
        return t + 1, h, c, outputs.write(t, h)

    outputs = tf.TensorArray(projected.dtype, steps, element_shape=start.shape)
    *_, outputs = tf.while_loop(
        lambda t, *_: t < steps, body, (0, start, start, outputs), maximum_iterations=steps
    )
    return outputs.stack()
