"""Layers that change which steps a sequence has, as TensorFlow computes them."""

from __future__ import annotations

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, convolution, plus, wide
from tasks import spec


class Steps(Backend):
    """The lowerings."""

    @lowers(spec.Conv1d)
    def conv1d(
        self, layer: spec.Conv1d, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        if context.valid is not None:
            x = tf.where(context.valid[..., None], x, 0.0)
        # An image of one row, which has no stride of its own.
        stride, padding = (layer.stride, layer.stride), (0, layer.padding)
        row, kernel = x[:, None], parameters["weight"][None]
        y = convolution(row, kernel, stride, padding, layer.groups, self.device)[:, 0]
        return plus(y, parameters["bias"]) if layer.bias else y

    @lowers(spec.ClassToken)
    def class_token(
        self, layer: spec.ClassToken, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        # Wide, so that the sum over the batch that is its gradient is.
        token = tf.broadcast_to(wide(parameters["weight"]), (x.shape[0], 1, layer.width))
        return tf.concat((tf.cast(token, x.dtype), x), axis=1)

    @lowers(spec.FirstStep)
    def first_step(
        self, layer: spec.FirstStep, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        return x[:, 0]
