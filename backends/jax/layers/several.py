"""Layers of several values as JAX computes them."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays
from tasks import spec


class Several(Backend):
    """The lowerings."""

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Arrays, x: tuple[Array, ...], context: Context
    ) -> Array:
        return sum(x[1:], start=x[0])

    @lowers(spec.Multiply)
    def multiply(
        self, layer: spec.Multiply, parameters: Arrays, x: tuple[Array, ...], context: Context
    ) -> Array:
        return x[0] * x[1]

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Arrays, x: tuple[Array, ...], context: Context
    ) -> Array:
        return jnp.concatenate(x, axis=_axis(layer, x[0].ndim - 1))


def _axis(layer: spec.Concat, rank: int) -> int:
    """With the batch's before it; an image's channels are last."""
    axis = layer.along(rank)
    return (3, 1, 2)[axis] if rank == 3 else 1 + axis
