"""Layers on sequences as JAX computes them."""

from __future__ import annotations

from math import sqrt

import jax.numpy as jnp
from jax import Array, lax

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, affine, plus, product, wide
from tasks import spec


class Sequence(Backend):
    """The lowerings."""

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        y = parameters["weight"][x]
        return y if layer.scale == 1 else (wide(y) * layer.scale).astype(y.dtype)

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return x + jnp.asarray(layer.table(x.shape[1]), x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        weight = parameters["weight"]
        if layer.count == "valid" and context.valid is not None:
            at = layer.offset + jnp.maximum(jnp.cumsum(context.valid, axis=1) - 1, 0)
            return plus(x, jnp.where(context.valid[..., None], weight[at], 0.0))
        return plus(x, weight[layer.offset : layer.offset + layer.steps])

    @lowers(spec.Rotary)
    def rotary(self, layer: spec.Rotary, parameters: Arrays, x: Array, context: Context) -> Array:
        cos, sin = jnp.asarray(layer.tables(x.shape[-2]), wide(x).dtype)
        halves = layer.layout == "halves"
        a, b = jnp.split(wide(x), 2, axis=-1) if halves else (x[..., 0::2], x[..., 1::2])
        pair = a * cos - b * sin, a * sin + b * cos
        turned = jnp.concatenate(pair, -1) if halves else jnp.stack(pair, -1).reshape(x.shape)
        return turned.astype(x.dtype)

    @lowers(spec.Attention)
    def attention(
        self,
        layer: spec.Attention,
        parameters: Arrays,
        x: Array | tuple[Array, Array],
        context: Context,
    ) -> Array:
        # By hand: jax.nn.dot_product_attention takes its softmax in float32 even under float64.
        # Divided by the sums last, which on the CPU makes the step 1.4 to 2 times as fast as with
        # jax.nn.softmax (JAX 0.10.2, 128 rows of 64 steps, width 8).
        first, memory = x if isinstance(x, tuple) else (x, x)
        valid = context.memory_valid if isinstance(x, tuple) else context.valid

        def heads(name: str, x: Array, number: int) -> Array:
            projected = affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            y = projected.reshape(*x.shape[:2], number, -1).transpose(0, 2, 1, 3)
            if layer.rotary is not None and name != "value":
                y = self.lowering(layer.rotary)(layer.rotary, {}, y, context)
            return y if number == layer.heads else jnp.repeat(y, layer.heads // number, axis=1)

        mask = None if valid is None else valid[:, None, None, :]
        if layer.causal:
            causal = jnp.tril(jnp.ones((first.shape[1], memory.shape[1]), bool))
            mask = causal if mask is None else mask & causal
        query = heads("query", first, layer.heads) / sqrt(layer.head_width)
        key, value = (heads(name, memory, layer.shared_heads) for name in ("key", "value"))
        scores = product(query, key.swapaxes(-1, -2))
        if mask is not None:  # finite, so that a row that sees nothing has no NaN in its gradient
            scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
        weights = jnp.exp(scores - lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
        mixed = product(weights.astype(first.dtype), value)
        mixed = (mixed / weights.sum(axis=-1, keepdims=True)).astype(first.dtype)
        if mask is not None:
            mixed = jnp.where(mask.any(axis=-1, keepdims=True), mixed, 0.0)
        joined = mixed.transpose(0, 2, 1, 3).reshape(first.shape)
        return affine(joined, parameters["output.weight"], parameters.get("output.bias"))

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
