"""Layers on sequences as JAX computes them."""

from __future__ import annotations

from math import sqrt

import jax.numpy as jnp
from jax import Array, lax

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, affine, plus, product
from tasks import spec


class Sequence(Backend):
    """The lowerings."""

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
        return plus(x, parameters["weight"])

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        # By hand: jax.nn.dot_product_attention takes its softmax in float32 even under float64.
        # Divided by the sums last, which on the CPU makes the step 1.4 to 2 times as fast as with
        # jax.nn.softmax (JAX 0.10.2, 128 rows of 64 steps, width 8).
        batch, steps, width = x.shape

        def heads(name: str) -> Array:
            projected = affine(x, parameters[f"{name}.weight"], parameters.get(f"{name}.bias"))
            return projected.reshape(batch, steps, layer.heads, -1).transpose(0, 2, 1, 3)

        mask = None if context.valid is None else context.valid[:, None, None, :]
        if layer.causal:
            causal = jnp.tril(jnp.ones((steps, steps), bool))
            mask = causal if mask is None else mask & causal
        scores = product(heads("query") / sqrt(width // layer.heads), heads("key").swapaxes(-1, -2))
        if mask is not None:  # finite, so that a row that sees nothing has no NaN in its gradient
            scores = jnp.where(mask, scores, jnp.finfo(scores.dtype).min)
        weights = jnp.exp(scores - lax.stop_gradient(scores.max(axis=-1, keepdims=True)))
        mixed = product(weights.astype(x.dtype), heads("value"))
        mixed = (mixed / weights.sum(axis=-1, keepdims=True)).astype(x.dtype)
        if mask is not None:
            mixed = jnp.where(mask.any(axis=-1, keepdims=True), mixed, 0.0)
        joined = mixed.transpose(0, 2, 1, 3).reshape(batch, steps, width)
        return affine(joined, parameters["output.weight"], parameters["output.bias"])

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
