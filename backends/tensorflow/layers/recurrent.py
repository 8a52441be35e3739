"""Recurrent layers as TensorFlow computes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from backends.base import Backend, Context, lowers
from backends.tensorflow.layers.arithmetic import Tensors, affine, plus, wide
from tasks import spec

Project = Callable[[tf.Tensor], tf.Tensor]

# A recurrent layer of at most so many steps is unrolled. An LSTM's training was a quarter faster so
# than with a loop at 3 steps, but took 1.6 times as long at 16, and at 64 nine times, after minutes
# of compiling.
_UNROLLED_STEPS = 8


class Recurrent(Backend):
    """The lowerings."""

    @lowers(spec.LSTM)
    def lstm(
        self, layer: spec.LSTM, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        y = tf.transpose(x, (1, 0, 2))  # steps first: each is then one slice of memory
        ahead = self._projects_ahead(context, y.shape[0])
        valid = None if context.valid is None else tf.transpose(context.valid)[..., None]
        for ends in layer.levels():
            both = []
            for end in ends:
                bias = parameters[f"bias_ih_{end}"] + parameters[f"bias_hh_{end}"]
                weight, recurrent = parameters[f"weight_ih_{end}"], parameters[f"weight_hh_{end}"]
                if ahead:
                    given = affine(y, weight, bias)
                    cell = partial(_lstm_cell, tf.transpose(recurrent), None)
                else:
                    given, joined = y, tf.concat((weight, recurrent), axis=1)
                    cell = partial(_lstm_cell, tf.transpose(joined), bias)
                both.append(_scan(cell, 2, given, recurrent.shape[1], valid, end))
            y = _joined(both)
        if valid is not None:
            y = tf.where(valid, y, 0.0)
        return tf.transpose(y, (1, 0, 2))

    @lowers(spec.GRU)
    def gru(
        self, layer: spec.GRU, parameters: Tensors, x: tf.Tensor, context: Context
    ) -> tf.Tensor:
        y = tf.transpose(x, (1, 0, 2))  # steps first: each is then one slice of memory
        ahead = self._projects_ahead(context, y.shape[0])
        valid = None if context.valid is None else tf.transpose(context.valid)[..., None]
        for ends in layer.levels():
            both = []
            for end in ends:
                weight, bias = parameters[f"weight_ih_{end}"], parameters[f"bias_ih_{end}"]
                recurrent = parameters[f"weight_hh_{end}"]
                project = None if ahead else partial(_product, tf.transpose(weight), bias)
                given = affine(y, weight, bias) if ahead else y
                recur = partial(_product, tf.transpose(recurrent), parameters[f"bias_hh_{end}"])
                cell = partial(_gru_cell, project, recur)
                both.append(_scan(cell, 1, given, recurrent.shape[1], valid, end))
            y = _joined(both)
        if valid is not None:
            y = tf.where(valid, y, 0.0)
        return tf.transpose(y, (1, 0, 2))

    def _projects_ahead(self, context: Context, steps: int) -> bool:
        """Whether a recurrent level multiplies all steps' inputs at once, before its loop."""
        # Not where XLA compiles a loop for inference on the CPU: one whose steps multiply input and
        # state takes 0.64 of the time (GRU) and 0.89 (LSTM; two levels of 256, 16 rows of 64 steps,
        # TensorFlow 2.21, two cores, beside other work). Unrolled, it is no faster.
        loops = self.execution == "compiled" and steps > _UNROLLED_STEPS
        return context.training or self.device != "cpu" or not loops


def _joined(both: list[tf.Tensor]) -> tf.Tensor:
    """What the directions of one level give."""
    return both[0] if len(both) == 1 else tf.concat(both, axis=-1)


def _product(weight: tf.Tensor, bias: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    return plus(tf.matmul(x, weight), bias)


def _lstm_cell(
    weight: tf.Tensor, bias: tf.Tensor | None, given: tf.Tensor, h: tf.Tensor, c: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """``weight`` is the state's alone where there is no bias: it was added ahead, with the input's
    product.
    """
    if bias is None:
        gates = given + tf.matmul(h, weight)
    else:
        gates = _product(weight, bias, tf.concat((given, h), axis=1))
    i, f, g, o = tf.split(wide(gates), 4, axis=1)
    new_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.cast(tf.sigmoid(o) * tf.tanh(new_c), h.dtype), new_c


def _gru_cell(
    project: Project | None, recur: Project, given: tf.Tensor, h: tf.Tensor
) -> tuple[tf.Tensor]:
    """``project`` is None where the inputs were multiplied ahead."""
    of_input = tf.split(wide(given if project is None else project(given)), 3, axis=1)
    of_state = tf.split(wide(recur(h)), 3, axis=1)
    r = tf.sigmoid(of_input[0] + of_state[0])
    z = tf.sigmoid(of_input[1] + of_state[1])
    n = tf.tanh(of_input[2] + r * of_state[2])
    return (tf.cast((1 - z) * n + z * wide(h), h.dtype),)


def _scan(
    cell: Callable[..., tuple[tf.Tensor, ...]],
    states: int,
    x: tf.Tensor,
    hidden: int,
    valid: tf.Tensor | None,
    end: str,
) -> tf.Tensor:
    """The outputs of one level and direction, which its parameters' ``end`` tells: the first of its
    ``states`` after every step. Steps stand first here; the states are held where not valid.
    """
    if end.endswith("_reverse"):
        x, valid = tf.reverse(x, [0]), None if valid is None else tf.reverse(valid, [0])
        return tf.reverse(_scan(cell, states, x, hidden, valid, ""), [0])
    steps, batch, _ = x.shape
    zeros = tf.zeros((batch, hidden), x.dtype)
    start = (zeros, wide(zeros))[:states]  # an LSTM's cell keeps its state wide

    def advance(
        given: tf.Tensor, on: tf.Tensor | None, held: tuple[tf.Tensor, ...]
    ) -> tuple[tf.Tensor, ...]:
        new = cell(given, *held)
        if on is None:
            return new
        return tuple(tf.where(on, n, h) for n, h in zip(new, held, strict=True))

    if steps <= _UNROLLED_STEPS:
        held, outputs = start, []
        ons = [None] * steps if valid is None else tf.unstack(valid)
        for given, on in zip(tf.unstack(x), ons, strict=True):
            held = advance(given, on, held)
            outputs.append(held[0])
        return tf.stack(outputs)

    def body(t: tf.Tensor, outputs: tf.TensorArray, *held: tf.Tensor) -> tuple[Any, ...]:
        held = advance(x[t], None if valid is None else valid[t], held)
        return t + 1, outputs.write(t, held[0]), *held

    outputs = tf.TensorArray(x.dtype, steps, element_shape=start[0].shape)
    _, outputs, *_ = tf.while_loop(
        lambda t, *_: t < steps, body, (0, outputs, *start), maximum_iterations=steps
    )
    return outputs.stack()
