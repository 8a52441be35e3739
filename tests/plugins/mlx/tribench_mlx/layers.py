"""Each layer type as MLX computes it. Images are (batch, height, width, channels), sequences
(batch, steps, features).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, pi, sqrt

import mlx.core as mx
import numpy as np

from backends.base import Backend, Context, lowers
from tasks import spec
from tribench_mlx.arrays import scalar
from tribench_mlx.functions import erf, exp, sigmoid

Arrays = dict[str, mx.array]


class Layers(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        weight = parameters["weight"]
        if x.dtype == mx.float64:  # in which MLX's convolution multiplies in float32
            y = _exact_conv(layer, weight, x)
        else:
            y = mx.conv2d(x, weight, layer.stride, layer.padding, groups=layer.groups)
        return y + parameters["bias"] if layer.bias else y

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        x = _padded(x, layer.padding, -inf)
        y, *others = _windows(layer.size, layer.stride, x)
        for other in others:
            y = mx.where((other > y) | mx.isnan(other), other, y)  # a tie keeps the first
        return y

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        counts = layer.counts((layer.size, *x.shape[1:3]))[..., None]
        windows = _windows(layer.size, layer.stride, _padded(x, layer.padding))
        return mx.stack(windows).sum(axis=0) / mx.array(counts, x.dtype)

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        over = context if layer.over == "valid" else replace(context, valid=None)
        x, axes = _valid(over, x), (*range(x.ndim - 1),)
        if context.training:
            count, momentum = scalar(x.size // layer.channels, x), scalar(layer.momentum, x)
            if over.valid is not None:
                count = mx.maximum(over.valid.sum(), 1).astype(x.dtype)
            mean = x.sum(axis=axes) / count
            variance = mx.square(_valid(over, x - mean)).sum(axis=axes) / count
            unbiased = variance * (count / mx.maximum(count - 1, scalar(1, x)))
            for name, new in (("running_mean", mean), ("running_var", unbiased)):
                old = context.buffer(name)
                context.set_buffer(name, old + momentum * (new - old))
        else:
            mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        normal = (x - mean) / mx.sqrt(variance + scalar(layer.epsilon, x))
        y = (normal * parameters["weight"] if layer.scale else normal) + parameters["bias"]
        return _valid(over, y)

    @lowers(spec.ReLU)
    def relu(self, layer: spec.ReLU, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        return mx.maximum(x, 0.0)

    @lowers(spec.Dropout)
    def dropout(
        self, layer: spec.Dropout, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        if not (context.training and layer.random):
            return x
        key = mx.random.key(context.random * 2**32 + context.number)
        kept = mx.random.bernoulli(1 - layer.rate, x.shape, key=key)
        return mx.where(kept, x / scalar(1 - layer.rate, x), scalar(0, x))

    @lowers(spec.GELU)
    def gelu(self, layer: spec.GELU, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        if layer.approximate:
            inner = scalar(sqrt(2 / pi), x) * (x + scalar(0.044715, x) * x * x * x)
            return 0.5 * x * (1.0 + mx.tanh(inner))
        return 0.5 * x * (1.0 + erf(x * scalar(sqrt(0.5), x)))

    @lowers(spec.SiLU)
    def silu(self, layer: spec.SiLU, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        return x * sigmoid(x)

    @lowers(spec.Sigmoid)
    def sigmoid(
        self, layer: spec.Sigmoid, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return sigmoid(x)

    @lowers(spec.Tanh)
    def tanh(self, layer: spec.Tanh, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        return mx.tanh(x)

    @lowers(spec.GroupNorm)
    def group_norm(
        self, layer: spec.GroupNorm, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        grouped = x.reshape(*x.shape[:3], layer.groups, -1)
        centred = grouped - grouped.mean(axis=(1, 2, 4), keepdims=True)
        variance = mx.square(centred).mean(axis=(1, 2, 4), keepdims=True)
        normal = (centred / mx.sqrt(variance + scalar(layer.epsilon, x))).reshape(x.shape)
        return normal * parameters["weight"] + parameters["bias"]

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)  # channels slowest
        return x.reshape(len(x), -1)

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return _affine(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.MeanPlaces)
    def mean_places(
        self, layer: spec.MeanPlaces, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return x.mean(axis=(1, 2))

    @lowers(spec.PlacesToSteps)
    def places_to_steps(
        self, layer: spec.PlacesToSteps, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return x.reshape(len(x), -1, x.shape[-1])

    @lowers(spec.Conv1d)
    def conv1d(
        self, layer: spec.Conv1d, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        row, weight = _valid(context, x)[:, None], parameters["weight"][:, None]
        sizes = {"kernel_size": (1, layer.kernel_size), "stride": (1, layer.stride)}
        sizes |= {"padding": (0, layer.padding), "groups": layer.groups}
        kernel = parameters | {"weight": weight}
        image = spec.Conv2d(
            in_channels=layer.in_features, out_channels=layer.out_features, bias=layer.bias, **sizes
        )
        return self.conv2d(image, kernel, row, context)[:, 0]

    @lowers(spec.ClassToken)
    def class_token(
        self, layer: spec.ClassToken, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        token = mx.broadcast_to(parameters["weight"], (len(x), 1, layer.width))
        return mx.concatenate((token, x), axis=1)

    @lowers(spec.FirstStep)
    def first_step(
        self, layer: spec.FirstStep, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return x[:, 0]

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        y = parameters["weight"][x]
        return y * scalar(layer.scale, y)

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        return x + mx.array(np.ascontiguousarray(layer.table(x.shape[1])), x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        weight = parameters["weight"]
        if layer.count == "valid" and context.valid is not None:
            at = layer.offset + mx.maximum(mx.cumsum(context.valid.astype(mx.int32), axis=1) - 1, 0)
            return x + _valid(context, weight[at])
        return x + weight[layer.offset : layer.offset + layer.steps]

    @lowers(spec.Rotary)
    def rotary(
        self, layer: spec.Rotary, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        cos, sin = (mx.array(table, x.dtype) for table in layer.tables(x.shape[-2]))
        halves = layer.layout == "halves"
        a, b = mx.split(x, 2, axis=-1) if halves else (x[..., 0::2], x[..., 1::2])
        pair = a * cos - b * sin, a * sin + b * cos
        return mx.concatenate(pair, -1) if halves else mx.stack(pair, -1).reshape(x.shape)

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = mx.square(centred).mean(axis=-1, keepdims=True)
        normal = centred / mx.sqrt(variance + scalar(layer.epsilon, x))
        return normal * parameters["weight"] + parameters["bias"]

    @lowers(spec.RMSNorm)
    def rms_norm(
        self, layer: spec.RMSNorm, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        squares = mx.square(x).mean(axis=-1, keepdims=True)
        return x / mx.sqrt(squares + scalar(layer.epsilon, x)) * parameters["weight"]

    @lowers(spec.Attention)
    def attention(
        self,
        layer: spec.Attention,
        parameters: Arrays,
        x: mx.array | tuple[mx.array, mx.array],
        context: Context,
    ) -> mx.array:
        several = isinstance(x, tuple)
        x, memory = x if several else (x, x)
        valid = context.memory_valid if several else context.valid

        def heads(name: str, x: mx.array, number: int) -> mx.array:
            projected = _affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            y = projected.reshape(*x.shape[:2], number, -1).transpose(0, 2, 1, 3)
            if layer.rotary is not None and name != "value":
                y = self.lowering(layer.rotary)(layer.rotary, {}, y, context)
            return mx.repeat(y, layer.heads // number, axis=1)

        mask = None if valid is None else valid[:, None, None, :]
        if layer.causal:
            causal = mx.arange(x.shape[1])[:, None] >= mx.arange(memory.shape[1])[None, :]
            mask = causal if mask is None else mask & causal
        key, value = (heads(name, memory, layer.shared_heads) for name in ("key", "value"))
        scores = heads("query", x, layer.heads) @ key.swapaxes(-1, -2)
        scores = scores * scalar(1 / sqrt(layer.head_width), x)
        if mask is not None:  # finite, so that a row that sees nothing has no NaN in its gradient
            scores = mx.where(mask, scores, scalar(-1e30, x))
        top = mx.stop_gradient(scores.max(axis=-1, keepdims=True))
        weights = exp(scores - top)
        mixed = (weights @ value) / weights.sum(axis=-1, keepdims=True)
        if mask is not None:
            mixed = mx.where(mask.any(axis=-1, keepdims=True), mixed, scalar(0.0, x))
        joined = mixed.transpose(0, 2, 1, 3).reshape(x.shape)
        return _affine(joined, parameters["output.weight"], parameters.get("output.bias"))

    @lowers(spec.LSTM)
    def lstm(self, layer: spec.LSTM, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        def cell(gates: mx.array, h: mx.array, c: mx.array) -> tuple[mx.array, mx.array]:
            i, f, g, o = mx.split(gates, 4, axis=-1)
            c = sigmoid(f) * c + sigmoid(i) * mx.tanh(g)
            return sigmoid(o) * mx.tanh(c), c

        def direction(end: str, x: mx.array, order: range) -> list[mx.array]:
            recurrent, bias = (parameters[f"{of}_hh_{end}"] for of in ("weight", "bias"))
            weight, both = parameters[f"weight_ih_{end}"], parameters[f"bias_ih_{end}"] + bias
            given = _affine(x, weight, both)
            h = c = mx.zeros((len(x), layer.hidden_size), x.dtype)
            outputs = []
            for step in order:
                new_h, new_c = cell(given[:, step] + h @ recurrent.T, h, c)
                h, c = _held(context, step, (new_h, new_c), (h, c))
                outputs.append(h)
            return outputs

        return _levels(layer, direction, x, context)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Arrays, x: mx.array, context: Context) -> mx.array:
        def direction(end: str, x: mx.array, order: range) -> list[mx.array]:
            recurrent, bias = (parameters[f"{of}_hh_{end}"] for of in ("weight", "bias"))
            given = _affine(x, parameters[f"weight_ih_{end}"], parameters[f"bias_ih_{end}"])
            h = mx.zeros((len(x), layer.hidden_size), x.dtype)
            outputs = []
            for step in order:
                of_input = mx.split(given[:, step], 3, axis=-1)
                of_state = mx.split(_affine(h, recurrent, bias), 3, axis=-1)
                r, z = (sigmoid(of_input[k] + of_state[k]) for k in (0, 1))
                n = mx.tanh(of_input[2] + r * of_state[2])
                (h,) = _held(context, step, ((1 - z) * n + z * h,), (h,))
                outputs.append(h)
            return outputs

        return _levels(layer, direction, x, context)

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        if context.valid is None:
            return x[:, -1]
        last = mx.where(context.valid, mx.arange(x.shape[1]), -1).max(axis=1)
        picked = x[mx.arange(len(x)), mx.maximum(last, 0)]
        return mx.where(last[:, None] >= 0, picked, scalar(0.0, x))

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Arrays, x: mx.array, context: Context
    ) -> mx.array:
        if context.valid is None:
            return x.mean(axis=1)
        counts = mx.maximum(context.valid.sum(axis=1, keepdims=True), 1).astype(x.dtype)
        return _valid(context, x).sum(axis=1) / counts

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Arrays, x: tuple[mx.array, ...], context: Context
    ) -> mx.array:
        return sum(x[1:], start=x[0])

    @lowers(spec.Multiply)
    def multiply(
        self, layer: spec.Multiply, parameters: Arrays, x: tuple[mx.array, ...], context: Context
    ) -> mx.array:
        return x[0] * x[1]

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Arrays, x: tuple[mx.array, ...], context: Context
    ) -> mx.array:
        axis = layer.along(x[0].ndim - 1)
        return mx.concatenate(x, axis=(3, 1, 2)[axis] if x[0].ndim == 4 else 1 + axis)


def _levels(
    layer: spec.Recurrent,
    direction: Callable[[str, mx.array, range], list[mx.array]],
    x: mx.array,
    context: Context,
) -> mx.array:
    """What ``direction`` gives step by step, of every level and both ways."""
    ahead = range(x.shape[1])
    for ends in layer.levels():
        both = []
        for end in ends:
            way = -1 if end.endswith("_reverse") else 1
            both.append(mx.stack(direction(end, x, ahead[::way])[::way], axis=1))
        x = _valid(context, mx.concatenate(both, axis=-1))
    return x


def _affine(x: mx.array, weight: mx.array, bias: mx.array | None) -> mx.array:
    y = x @ weight.T
    return y if bias is None else y + bias


def _windows(size: spec.Size, stride: spec.Size, x: mx.array) -> list[mx.array]:
    """What stands at each place of a window, in row order: (batch, height, width, channels) of the
    result each.
    """
    rows, columns = (
        [slice(at, at + n - places + 1, step) for at in range(places)]
        for n, places, step in zip(x.shape[1:3], spec.pair(size), spec.pair(stride), strict=True)
    )
    return [x[:, row, column] for row in rows for column in columns]


def _padded(x: mx.array, padding: spec.Size, value: float = 0.0) -> mx.array:
    height, width = spec.pair(padding)
    sides = [(0, 0), (height, height), (width, width), (0, 0)]
    return mx.pad(x, sides, constant_values=scalar(value, x))


def _exact_conv(layer: spec.Conv2d, weight: mx.array, x: mx.array) -> mx.array:
    """A matrix product for each group, of what each place of the result sees in the order of a
    weight's (height, width, in).
    """
    made = []
    each = (
        mx.split(_padded(x, layer.padding), layer.groups, axis=-1),
        mx.split(weight, layer.groups),
    )
    for given, kernels in zip(*each, strict=True):
        patches = mx.concatenate(_windows(layer.kernel_size, layer.stride, given), axis=-1)
        made.append(patches @ kernels.reshape(len(kernels), -1).T)
    return mx.concatenate(made, axis=-1)


def _held(
    context: Context, step: int, new: tuple[mx.array, ...], old: tuple[mx.array, ...]
) -> tuple[mx.array, ...]:
    """The state after a step, which a step that is not valid leaves as it was."""
    if context.valid is None:
        return new
    keep = context.valid[:, step, None]
    return tuple(mx.where(keep, now, before) for now, before in zip(new, old, strict=True))


def _valid(context: Context, x: mx.array) -> mx.array:
    """0 at steps that are not valid."""
    return x if context.valid is None else mx.where(context.valid[..., None], x, scalar(0.0, x))
