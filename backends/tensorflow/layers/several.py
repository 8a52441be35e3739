"""Layers of several values as TensorFlow computes them."""

from __future__ import annotations

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors
from tasks import spec


class Several(Backend):
    """The lowerings."""

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Tensors, x: tuple[tf.Tensor, ...], context: Context
    ) -> tf.Tensor:
        return sum(x[1:], start=x[0])

    @lowers(spec.Multiply)
    def multiply(
        self, layer: spec.Multiply, parameters: Tensors, x: tuple[tf.Tensor, ...], context: Context
    ) -> tf.Tensor:
        return x[0] * x[1]

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Tensors, x: tuple[tf.Tensor, ...], context: Context
    ) -> tf.Tensor:
        return tf.concat(x, axis=_axis(layer, x[0].shape.rank - 1))


def _axis(layer: spec.Concat, rank: int) -> int:
    """With the batch's before it; an image's channels are last."""
    axis = layer.along(rank)
    return (3, 1, 2)[axis] if rank == 3 else 1 + axis
