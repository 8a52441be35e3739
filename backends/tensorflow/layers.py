"""Each layer type as TensorFlow computes it. Images are (batch, height, width, channels), sequences
(batch, steps, features).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backends.base import Backend, Context, lowers
from tasks import spec

Tensors = dict[str, tf.Tensor]
Project = Callable[[tf.Tensor], tf.Tensor]

# A recurrent layer of at most so many steps is unrolled. An LSTM's training was a quarter faster so
# than with a loop at 3 steps, but took 1.6 times as long at 16, and at 64 nine times, after minutes
# of compiling.
_UNROLLED_STEPS = 8


class Layers(Backend):
    """The lowerings."""

    target: str
    dtype: tf.DType
    constants: dict[str, tf.Tensor]

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        zeros = [layer.padding, layer.padding]
        padding = [[0, 0], zeros, zeros, [0, 0]]
        y = tf.nn.conv2d(x, parameters["weight"], strides=layer.stride, padding=padding)
        return _plus(y, parameters["bias"]) if layer.bias else y

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

    @lowers(spec.ReLU)
    def relu(
        self, layer: spec.ReLU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.nn.relu(x)

    @lowers(spec.GELU)
    def gelu(
        self, layer: spec.GELU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if x.dtype != tf.float64:
            return tf.cast(tf.nn.gelu(_wide(x), layer.approximate), x.dtype)
        # By hand: tf.nn.gelu rounds its constants to float32 even under float64.
        if layer.approximate:
            root = tf.constant(math.sqrt(2 / math.pi), x.dtype)
            cubic = tf.constant(0.044715, x.dtype)
            return x * (1 + tf.tanh(root * (x + cubic * x**3))) / 2
        return x * (1 + tf.math.erf(x / tf.constant(math.sqrt(2), x.dtype))) / 2

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
        return x + tf.cast(table, x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return tf.cast(_wide(x) + _wide(parameters["weight"]), x.dtype)

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
        scores = _wide(tf.matmul(heads("query") * each**-0.5, heads("key"), transpose_b=True))
        if mask is None:
            weights = tf.nn.softmax(scores)
        else:
            # The least number, not -inf: a row that sees nothing must get 0 and no NaN gradient.
            weights = tf.nn.softmax(tf.where(mask, scores, scores.dtype.min))
            weights = tf.where(mask, weights, 0.0)
        mixed = tf.matmul(tf.cast(weights, x.dtype), heads("value"))
        joined = tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (batch, steps, width))
        return _linear(joined, parameters["output.weight"], parameters["output.bias"])

    @lowers(spec.LSTM)
    def lstm(
        self, layer: spec.LSTM, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        y = tf.transpose(x, (1, 0, 2))  # steps first: each is then one slice of memory
        ahead = self._projects_ahead(context, y.shape[0])
        valid = None if context.valid is None else tf.transpose(context.valid)[..., None]
        for level in range(layer.num_layers):
            bias = parameters[f"bias_ih_l{level}"] + parameters[f"bias_hh_l{level}"]
            weight, recurrent = parameters[f"weight_ih_l{level}"], parameters[f"weight_hh_l{level}"]
            if ahead:
                y = _linear(y, weight, bias)
                cell = partial(_lstm_cell, tf.transpose(recurrent), None)
            else:
                joined = tf.concat((weight, recurrent), axis=1)
                cell = partial(_lstm_cell, tf.transpose(joined), bias)
            y = _scan(cell, 2, y, recurrent.shape[1], valid)
        if valid is not None:
            y = tf.where(valid, y, 0.0)
        return tf.transpose(y, (1, 0, 2))

    @lowers(spec.GRU)
    def gru(
        self, layer: spec.GRU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        y = tf.transpose(x, (1, 0, 2))  # steps first: each is then one slice of memory
        ahead = self._projects_ahead(context, y.shape[0])
        valid = None if context.valid is None else tf.transpose(context.valid)[..., None]
        for level in range(layer.num_layers):
            weight, bias = parameters[f"weight_ih_l{level}"], parameters[f"bias_ih_l{level}"]
            recurrent = parameters[f"weight_hh_l{level}"]
            project = None if ahead else partial(_product, tf.transpose(weight), bias)
            y = _linear(y, weight, bias) if ahead else y
            recur = partial(_product, tf.transpose(recurrent), parameters[f"bias_hh_l{level}"])
            y = _scan(partial(_gru_cell, project, recur), 1, y, recurrent.shape[1], valid)
        if valid is not None:
            y = tf.where(valid, y, 0.0)
        return tf.transpose(y, (1, 0, 2))

    def _projects_ahead(self, context: Context, steps: int) -> bool:
        """Whether a recurrent level multiplies all steps' inputs at once, before its loop."""
        # Not where XLA compiles a loop for inference on the CPU: one whose steps multiply input and
        # state takes 0.64 of the time (GRU) and 0.89 (LSTM; two levels of 256, 16 rows of 64 steps,
        # TensorFlow 2.21, two cores, beside other work). Unrolled, it is no faster.
        loops = self.execution == "compiled" and steps > _UNROLLED_STEPS
        return context.training or self.device != "cpu" or not loops

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

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Tensors, x: tuple[tf.Tensor, ...], context: Context
    ) -> tf.Tensor:
        return sum(x[1:], start=x[0])

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Tensors, x: tuple[tf.Tensor, ...], context: Context
    ) -> tf.Tensor:
        return tf.concat(x, axis=_axis(layer, x[0].shape.rank - 1))

    def _constant(self, name: str, array: NDArray[Any]) -> tf.Tensor:
        """A float64 table in this program's precision, on its device; made once."""
        if name not in self.constants:
            with tf.init_scope(), tf.device(self.target):  # outside of any graph being traced
                self.constants[name] = tf.constant(array, self.dtype)
        return self.constants[name]


def _axis(layer: spec.Concat, rank: int) -> int:
    """With the batch's before it; an image's channels are last."""
    axis = layer.along(rank)
    return (3, 1, 2)[axis] if rank == 3 else 1 + axis


def _wide(x: tf.Tensor) -> tf.Tensor:
    """In float32 at least."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x


def _plus(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Added up in float32 at least, and so is the bias's gradient: in bfloat16 the sum over 1024
    rows had 20 times the error of correct arithmetic.
    """
    return tf.cast(tf.nn.bias_add(_wide(x), _wide(bias)), x.dtype)


def _linear(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """As one matrix product: of three axes, TensorFlow would make a product per sample."""
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), weight, transpose_b=True)
    if bias is not None:
        y = _plus(y, bias)
    return tf.reshape(y, (*x.shape[:-1], weight.shape[0]))


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


def _product(weight: tf.Tensor, bias: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return _plus(tf.matmul(x, weight), bias)


def _lstm_cell(
    weight: tf.Tensor, bias: tf.Tensor | None, given: tf.Tensor, h: tf.Tensor, c: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """``weight`` is the state's alone where there is no bias: it was added ahead, with the input's
    product.
    """
    if bias is None:
        gates = given + tf.matmul(h, weight)
    else:
        gates = _product(weight, bias, tf.concat((given, h), axis=1))
    i, f, g, o = tf.split(_wide(gates), 4, axis=1)
    new_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.cast(tf.sigmoid(o) * tf.tanh(new_c), h.dtype), new_c


def _gru_cell(
    project: Project | None, recur: Project, given: tf.Tensor, h: tf.Tensor
) -> tuple[tf.Tensor]:
    """``project`` is None where the inputs were multiplied ahead."""
    of_input = tf.split(_wide(given if project is None else project(given)), 3, axis=1)
    of_state = tf.split(_wide(recur(h)), 3, axis=1)
    r = tf.sigmoid(of_input[0] + of_state[0])
    z = tf.sigmoid(of_input[1] + of_state[1])
    n = tf.tanh(of_input[2] + r * of_state[2])
    return (tf.cast((1 - z) * n + z * _wide(h), h.dtype),)


def _scan(
    cell: Callable[..., tuple[tf.Tensor, ...]],
    states: int,
    x: tf.Tensor,
    hidden: int,
    valid: tf.Tensor | None,
) -> tf.Tensor:
    """The outputs of one level, the first of its ``states`` after every step. Steps stand first
    here; the states are held where not valid.
    """
    steps, batch, _ = x.shape
    zeros = tf.zeros((batch, hidden), x.dtype)
    start = (zeros, _wide(zeros))[:states]  # an LSTM's cell keeps its state wide

    def advance(
        given: tf.Tensor, on: tf.Tensor | None, held: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, ...]:
        new = cell(given, *held)
        if on is None:
            return new
        return tuple(tf.where(on, n, h) for n, h in zip(new, held, strict=True))

    if steps <= _UNROLLED_STEPS:
        held, outputs = start, []
        ons = [None] * steps if valid is None else tf.unstack(valid)
        for given, on in zip(tf.unstack(x), ons, strict=True):
            held = advance(given, on, held)
            outputs.append(held[0])
        return tf.stack(outputs)

    def body(t: tf.Tensor, outputs: tf.TensorArray, *held: tf.Tensor) -> tuple[Any, ...]:
        held = advance(x[t], None if valid is None else valid[t], held)
        return t + 1, outputs.write(t, held[0]), *held

    outputs = tf.TensorArray(x.dtype, steps, element_shape=start[0].shape)
    _, outputs, *_ = tf.while_loop(
        lambda t, *_: t < steps, body, (0, outputs, *start), maximum_iterations=steps
    )
    return outputs.stack()
