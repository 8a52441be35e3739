"""The overrides in TensorFlow."""

from __future__ import annotations

import tensorflow as tf
from tribench_overridden import Overrides, Port

from backends.tensorflow import Backend


class Overridden(Overrides, Backend):
    name = "overridden-tensorflow"


class Ported(Port, Backend):
    name = "ported-tensorflow"

    def whole(self, x, weight, bias):
        return tf.matmul(x, weight, transpose_b=True) + bias
