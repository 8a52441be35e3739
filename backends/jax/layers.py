"""Each layer type as JAX computes it. Images are (batch, height, width, channels), sequences
(batch, steps, features).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import rnn

from backends.base import Backend, Context, lowers
from tasks import spec

Arrays = dict[str, Array]


class Layers(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(self, layer: spec.Conv2d, parameters: Arrays, x: Array, context: Context) -> Array:
        y = lax.conv_general_dilated(
            x,
            parameters["weight"],
            window_strides=(layer.stride, layer.stride),
            padding=[(layer.padding, layer.padding)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return _plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        # Not lax.reduce_window: its gradient, a select-and-scatter, is one scalar loop on the CPU
        # (34 ms against 0.4 ms for 2x2 windows of 128x24x24x32, JAX 0.10.2, two cores).
        rows, columns = (
            [slice(at, at + n - layer.size + 1, layer.stride) for at in range(layer.size)]
            for n in x.shape[1:3]
        )
        y = x[:, rows[0], columns[0]]
        for row in rows:
            for column in columns:
                other = x[:, row, column]
                y = jnp.where((other > y) | jnp.isnan(other), other, y)  # a tie keeps the first
        return y

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        size, stride = (1, layer.size, layer.size, 1), (1, layer.stride, layer.stride, 1)
        return lax.reduce_window(x, 0.0, lax.add, size, stride, "VALID") / layer.size**2

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
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
        scale = parameters["weight"] * lax.rsqrt(variance + layer.epsilon)
        return x * scale + (parameters["bias"] - mean * scale)

    @lowers(spec.ReLU)
    def relu(self, layer: spec.ReLU, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.relu(x)

    @lowers(spec.GELU)
    def gelu(self, layer: spec.GELU, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.gelu(_wide(x), approximate=layer.approximate).astype(x.dtype)

    @lowers(spec.Flatten)
    def flatten(self, layer: spec.Flatten, parameters: Arrays, x: Array, context: Context) -> Array:
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)  # channels slowest
        return x.reshape(len(x), -1)

    @lowers(spec.Linear)
    def linear(self, layer: spec.Linear, parameters: Arrays, x: Array, context: Context) -> Array:
        return _affine(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return parameters["weight"][x]

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return x + jnp.asarray(layer.table(x.shape[1]), x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return _plus(x, parameters["weight"])

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled = centred / jnp.sqrt(variance + layer.epsilon)
        return scaled * parameters["weight"] + parameters["bias"]

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        # By hand: jax.nn.dot_product_attention takes its softmax in float32 even under float64.
        # Divided by the sums last, which on the CPU makes the step 1.4 to 2 times as fast as with
        # jax.nn.softmax (JAX 0.10.2, 128 rows of 64 steps, width 8).
        batch, steps, width = x.shape

        def heads(name: str) -> Array:
            projected = _affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            return projected.reshape(batch, steps, layer.heads, -1).transpose(0, 2, 1, 3)

        mask = None if context.valid is None else context.valid[:, None, None, :]
        if layer.causal:
            causal = jnp.tril(jnp.ones((steps, steps), bool))
            mask = causal if mask is None else mask & causal
        scores = _product(
            heads("query") / sqrt(width // layer.heads), heads("key").swapaxes(-1, -2)
        )
        if mask is not None:  # finite, so that a row that sees nothing has no NaN in its gradient
            scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
        weights = jnp.exp(scores - lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
        mixed = _product(weights.astype(x.dtype), heads("value"))
        mixed = (mixed / weights.sum(axis=-1, keepdims=True)).astype(x.dtype)
        if mask is not None:
            mixed = jnp.where(mask.any(axis=-1, keepdims=True), mixed, 0.0)
        joined = mixed.transpose(0, 2, 1, 3).reshape(batch, steps, width)
        return _affine(joined, parameters["output.weight"], parameters["output.bias"])

    @lowers(spec.LSTM)
    def lstm(self, layer: spec.LSTM, parameters: Arrays, x: Array, context: Context) -> Array:
        # cuDNN's, which JAX binds in float32 alone: a training step of rnn-small takes 0.79 of the
        # scan's time, a prediction 1.12 (JAX 0.11.2, H100).
        if self.device == "cuda" and x.dtype == jnp.float32 and context.training:
            return _in_front(partial(_lstm_cudnn, layer, parameters), x, context.valid)
        ahead = self._projects_ahead(context)
        valid = None if context.valid is None else context.valid.T[..., None]
        x = x.swapaxes(0, 1)  # scanned along the first axis
        for level in range(layer.num_layers):
            bias = parameters[f"bias_ih_l{level}"] + parameters[f"bias_hh_l{level}"]
            weight, recurrent = parameters[f"weight_ih_l{level}"], parameters[f"weight_hh_l{level}"]
            x = _lstm_steps(x, valid, weight, recurrent, bias, ahead)
        return x.swapaxes(0, 1)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Arrays, x: Array, context: Context) -> Array:
        ahead = self._projects_ahead(context)
        valid = None if context.valid is None else context.valid.T[..., None]
        x = x.swapaxes(0, 1)  # scanned along the first axis
        for level in range(layer.num_layers):
            weight, recurrent = parameters[f"weight_ih_l{level}"], parameters[f"weight_hh_l{level}"]
            biases = parameters[f"bias_ih_l{level}"], parameters[f"bias_hh_l{level}"]
            x = _gru_steps(x, valid, weight, recurrent, biases, ahead)
        return x.swapaxes(0, 1)

    def _projects_ahead(self, context: Context) -> bool:
        """Whether a recurrent level multiplies all steps' inputs at once, before its scan."""
        # Not in inference on the CPU: a scan whose steps multiply input and state takes 0.66 of the
        # time (LSTM) and 0.75 (GRU; two levels of 256, 16 rows of 64 steps, JAX 0.10.2, two cores),
        # 0.52 with 128 rows of rnn-tiny. In training no form was faster.
        return context.training or self.device != "cpu"

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        if context.valid is None:
            return x[:, -1]
        last = jnp.where(context.valid, jnp.arange(x.shape[1]), -1).max(axis=1)
        picked = x[jnp.arange(len(x)), jnp.maximum(last, 0)]
        return jnp.where(last[:, None] >= 0, picked, 0.0)

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        if context.valid is None:
            return x.mean(axis=1)
        counts = jnp.maximum(context.valid.sum(axis=1, keepdims=True), 1)
        return jnp.where(context.valid[..., None], x, 0.0).sum(axis=1) / counts

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Arrays, x: tuple[Array, ...], context: Context
    ) -> Array:
        return sum(x[1:], start=x[0])

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Arrays, x: tuple[Array, ...], context: Context
    ) -> Array:
        return jnp.concatenate(x, axis=_axis(layer, x[0].ndim - 1))


def _axis(layer: spec.Concat, rank: int) -> int:
    """With the batch's before it; an image's channels are last."""
    axis = layer.along(rank)
    return (3, 1, 2)[axis] if rank == 3 else 1 + axis


def _wide(x: Array) -> Array:
    """In float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _product(x: Array, y: Array) -> Array:
    """Kept as wide as it is added up."""
    return jnp.matmul(x, y, preferred_element_type=jnp.promote_types(x.dtype, jnp.float32))


def _plus(x: Array, bias: Array) -> Array:
    """Added up in float32 at least, and so is the bias's gradient: in bfloat16 the sum over 1024
    rows had 11 times the error of correct arithmetic.
    """
    return (_wide(x) + bias).astype(x.dtype)


def _affine(x: Array, weight: Array, bias: Array | None) -> Array:
    y = x @ weight.T
    return y if bias is None else _plus(y, bias)


def _in_front(run: Callable[[Array], Array], x: Array, valid: Array | None) -> Array:
    """A recurrence over the valid steps. Invalid ones hold the state, so the valid ones may as well
    stand together in front.
    """
    if valid is None:
        return run(x)
    order = jnp.argsort(~valid, axis=1, stable=True)[..., None]
    y = run(jnp.take_along_axis(x, order, axis=1))
    y = jnp.take_along_axis(y, jnp.argsort(order, axis=1), axis=1)
    return jnp.where(valid[..., None], y, 0.0)


def _lstm_cudnn(layer: spec.LSTM, parameters: Arrays, x: Array) -> Array:
    """cuDNN's, which takes the weights of all levels and then the biases as one vector."""
    levels = range(layer.num_layers)
    names = [f"{k}_{of}_l{n}" for k in ("weight", "bias") for n in levels for of in ("ih", "hh")]
    weights = jnp.concatenate([parameters[name].ravel() for name in names])
    start = jnp.zeros((layer.num_layers, len(x), layer.hidden_size), x.dtype)
    lengths = jnp.full(len(x), x.shape[1], jnp.int32)
    sizes = (layer.input_size, layer.hidden_size, layer.num_layers)
    return rnn.lstm(x, start, start, weights, lengths, *sizes, 0.0, False)[0]


def _lstm_steps(
    x: Array, valid: Array | None, weight: Array, recurrent: Array, bias: Array, ahead: bool
) -> Array:
    """One level, (steps, batch, features); ``valid`` is (steps, batch, 1) or None."""
    x = _affine(x, weight, bias) if ahead else x
    joined = jnp.concatenate((weight, recurrent), axis=1).T

    def cell(
        held: tuple[Array, Array], now: tuple[Array, Array | None]
    ) -> tuple[tuple[Array, Array], Array]:
        (h, c), (given, keep) = held, now
        if ahead:
            gates = given + _product(h, recurrent.T)
        else:
            gates = _product(jnp.concatenate((given, h), axis=-1), joined) + bias
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        new_c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        new_h = (jax.nn.sigmoid(o) * jnp.tanh(new_c)).astype(h.dtype)
        if keep is None:
            return (new_h, new_c), new_h
        state = jnp.where(keep, new_h, h), jnp.where(keep, new_c, c)
        return state, jnp.where(keep, new_h, 0.0)

    start = jnp.zeros((x.shape[1], recurrent.shape[1]), x.dtype)
    return lax.scan(cell, (start, _wide(start)), (x, valid))[1]


def _gru_steps(
    x: Array,
    valid: Array | None,
    weight: Array,
    recurrent: Array,
    biases: tuple[Array, Array],
    ahead: bool,
) -> Array:
    """One level, (steps, batch, features); ``valid`` is (steps, batch, 1) or None."""
    x = _affine(x, weight, biases[0]) if ahead else x
    of_x, of_h = weight.T, recurrent.T
    # Else XLA transposes in every step: so inference takes 0.85 of the time (gru-small, JAX 0.10.2,
    # two cores, 16 rows), while training, which projects ahead, took 1.04 of it.
    if not ahead:
        of_x, of_h = lax.optimization_barrier((of_x, of_h))

    def cell(h: Array, now: tuple[Array, Array | None]) -> tuple[Array, Array]:
        given, keep = now
        gates = given if ahead else _product(given, of_x) + biases[0]
        of_input = jnp.split(_wide(gates), 3, axis=-1)
        of_state = jnp.split(_product(h, of_h) + biases[1], 3, axis=-1)
        r = jax.nn.sigmoid(of_input[0] + of_state[0])
        z = jax.nn.sigmoid(of_input[1] + of_state[1])
        n = jnp.tanh(of_input[2] + r * of_state[2])
        new_h = ((1 - z) * n + z * h).astype(h.dtype)
        if keep is None:
            return new_h, new_h
        return jnp.where(keep, new_h, h), jnp.where(keep, new_h, 0.0)

    start = jnp.zeros((x.shape[1], recurrent.shape[1]), x.dtype)
    return lax.scan(cell, start, (x, valid))[1]
