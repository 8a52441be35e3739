"""Layers that change which steps a sequence has, as JAX computes them."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, plus, wide
from tasks import spec


class Steps(Backend):
    """The lowerings."""

    @lowers(spec.Conv1d)
    def conv1d(self, layer: spec.Conv1d, parameters: Arrays, x: Array, context: Context) -> Array:
        if context.valid is not None:
            x = jnp.where(context.valid[..., None], x, 0.0)
        y = lax.conv_general_dilated(
            x,
            parameters["weight"],
            window_strides=(layer.stride,),
            padding=[(layer.padding, layer.padding)],
            dimension_numbers=("NHC", "HIO", "NHC"),
            feature_group_count=layer.groups,
        )
        return plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.ClassToken)
    def class_token(
        self, layer: spec.ClassToken, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        # Wide, so that the sum over the batch that is its gradient is.
        token = jnp.broadcast_to(wide(parameters["weight"]), (len(x), 1, layer.width))
        return jnp.concatenate((token.astype(x.dtype), x), axis=1)

    @lowers(spec.FirstStep)
    def first_step(
        self, layer: spec.FirstStep, parameters: Arrays, x: Array, context: Context
    ) -> Array:
        return x[:, 0]
