"""Layers on the last axis as JAX computes them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, affine, wide
from tasks import spec


class Dense(Backend):
    """The lowerings."""

    @lowers(spec.ReLU)
    def relu(self, layer: spec.ReLU, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.relu(x)

    @lowers(spec.Dropout)
    def dropout(self, layer: spec.Dropout, parameters: Arrays, x: Array, context: Context) -> Array:
        if not (context.training and layer.random):
            return x
        key = jax.random.fold_in(context.random, context.number)
        kept = jax.random.bernoulli(key, jnp.float32(1 - layer.rate), x.shape)
        return jnp.where(kept, x / (1 - layer.rate), 0)

    @lowers(spec.GELU)
    def gelu(self, layer: spec.GELU, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.gelu(wide(x), approximate=layer.approximate).astype(x.dtype)

    @lowers(spec.SiLU)
    def silu(self, layer: spec.SiLU, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.silu(wide(x)).astype(x.dtype)

    @lowers(spec.Sigmoid)
    def sigmoid(self, layer: spec.Sigmoid, parameters: Arrays, x: Array, context: Context) -> Array:
        return jax.nn.sigmoid(wide(x)).astype(x.dtype)

    @lowers(spec.Tanh)
    def tanh(self, layer: spec.Tanh, parameters: Arrays, x: Array, context: Context) -> Array:
        return jnp.tanh(wide(x)).astype(x.dtype)

    @lowers(spec.Linear)
    def linear(self, layer: spec.Linear, parameters: Arrays, x: Array, context: Context) -> Array:
        return affine(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        scaled = centred / jnp.sqrt(variance + layer.epsilon)
        return scaled * parameters["weight"] + parameters["bias"]

    @lowers(spec.RMSNorm)
    def rms_norm(
        self, layer: spec.RMSNorm, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        squares = (x**2).mean(axis=-1, keepdims=True)
        return x / jnp.sqrt(squares + layer.epsilon) * parameters["weight"]
