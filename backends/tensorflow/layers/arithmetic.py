"""What layers of several modules use."""

from __future__ import annotations

import tensorflow as tf

Tensors = dict[str, tf.Tensor]


def wide(x: tf.Tensor) -> tf.Tensor:
    """In float32 at least."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x


def plus(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Added up in float32 at least, and so is the bias's gradient: in bfloat16 the sum over 1024
    rows had 20 times the error of correct arithmetic.
    """
    return tf.cast(tf.nn.bias_add(wide(x), wide(bias)), x.dtype)


def convolution(
    x: tf.Tensor,
    weight: tf.Tensor,
    stride: tuple[int, int],
    padding: tuple[int, int],
    groups: int,
    device: str,
) -> tf.Tensor:
    """x is (batch, height, width, channels), the weight (height, width, in of a group, out)."""
    sides = [[0, 0], *([pad, pad] for pad in padding), [0, 0]]
    if groups == 1 or device == "cuda":
        return tf.nn.conv2d(x, weight, stride, sides)
    # On the CPU, TensorFlow 2.21 has no gradients of a convolution with groups.
    if groups == x.shape[3] and stride[0] == stride[1]:
        weight = tf.reshape(weight, (*weight.shape[:2], groups, -1))
        return tf.nn.depthwise_conv2d(x, weight, (1, *stride, 1), sides)
    parts = (tf.split(array, groups, axis=3) for array in (x, weight))
    each = (tf.nn.conv2d(*part, stride, sides) for part in zip(*parts, strict=True))
    return tf.concat([*each], axis=3)


def affine(x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor | None) -> tf.Tensor:
    """As one matrix product: of three axes, TensorFlow would make a product per sample."""
    y = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), weight, transpose_b=True)
    if bias is not None:
        y = plus(y, bias)
    return tf.reshape(y, (*x.shape[:-1], weight.shape[0]))
