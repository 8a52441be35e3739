"""The ways of TensorFlow: the adapter's; recurrent layers also as one kernel, and Keras'."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from backends.base import NotSupported, lowers
from backends.tensorflow import Backend
from backends.tensorflow.program import Program, Resident
from tasks import spec
from tests.studies.operators.operators import OTHERS, PATH, RECURRENT, Way


class Plain(Backend):
    """Graphs without XLA, which has none of these kernels."""

    def compile(self, function, task):
        run = tf.function(function, autograph=False)
        self.compiled.add(run)
        return run


class Fused(Plain):
    """An LSTM level as one kernel, gates in the order i, g, f, o. Not BlockLSTMV2, which has the
    spec's order: TensorFlow 2.21 registers the older kernel's gradient for it, which is not its.
    """

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        matrices = [parameters["weight_ih_l0"], parameters["weight_hh_l0"]]
        start, peephole = tf.zeros((x.shape[0], layer.hidden_size)), tf.zeros(layer.hidden_size)
        found = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(x.shape[1], tf.int64),
            x=tf.transpose(x, (1, 0, 2)),
            cs_prev=start,
            h_prev=start,
            w=tf.transpose(_reordered(tf.concat(matrices, axis=1), (0, 2, 1, 3))),
            wci=peephole,
            wcf=peephole,
            wco=peephole,
            b=_reordered(parameters["bias_ih_l0"] + parameters["bias_hh_l0"], (0, 2, 1, 3)),
            forget_bias=0.0,
            cell_clip=-1.0,  # not at all
        )
        return tf.transpose(found.h, (1, 0, 2))

    @lowers(spec.GRU)
    def gru(self, layer, parameters, x, context):
        raise NotSupported(
            "TensorFlow's GRUBlockCell resets the state before its projection, the spec after it"
        )


class Keras(Plain):
    """Keras' layers, which on the CPU loop over the steps. They are made outside of any graph,
    because they make variables, whose values are not used.
    """

    def build(self, task, parameters):
        (place,) = task.model.places()
        kind = getattr(tf.keras.layers, type(place.layer).__name__)
        self.made = kind(place.layer.hidden_size, return_sequences=True)
        self.made.build((task.batch_size, *place.input_shape))
        return super().build(task, parameters)

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        bias = parameters["bias_ih_l0"] + parameters["bias_hh_l0"]
        weight, recurrent = parameters["weight_ih_l0"], parameters["weight_hh_l0"]
        return self._call(weight, recurrent, bias, x)

    @lowers(spec.GRU)
    def gru(self, layer, parameters, x, context):
        order = (1, 0, 2)  # z, r, n
        weight = _reordered(parameters["weight_ih_l0"], order)
        recurrent = _reordered(parameters["weight_hh_l0"], order)
        bias = [_reordered(parameters[name], order) for name in ("bias_ih_l0", "bias_hh_l0")]
        return self._call(weight, recurrent, tf.stack(bias), x)

    def _call(self, weight, recurrent, bias, x: tf.Tensor) -> tf.Tensor:
        weights = [tf.transpose(weight), tf.transpose(recurrent), bias]
        return self.made.stateless_call(weights, self.made.non_trainable_variables, x)[0]


def forward_backward(
    program: Program, batch: Resident, upstream: tf.Tensor
) -> Callable[[], dict[str, tf.Tensor]]:
    """A call of the layer and of its gradients."""

    def call() -> dict[str, tf.Tensor]:
        given = (batch.inputs, {"valid": batch.valid}, upstream)
        y, (dx,), gradients = program.run_layer(PATH, program.buffers, *given)
        program.wait()
        return {"output": y, "input": dx} | gradients

    return call


def _reordered(stacked: tf.Tensor, order: tuple[int, ...]) -> tf.Tensor:
    """The blocks of gates, along the first axis, in another order."""
    blocks = tf.split(stacked, len(order))
    return tf.concat([blocks[at] for at in order], axis=0)


_GRAPH, _OPS = "tf.function, with XLA for attention", "one operation at a time"
_KERNEL, _KERAS = "BlockLSTM, tf.function", "tf.keras.layers, tf.function"
_LOOP = "tf.while_loop, XLA"

WAYS = (
    Way(name="eager", path=_OPS, backend=Backend, execution="eager", layers=OTHERS),
    Way(name="compiled", path=_GRAPH, backend=Backend, execution="compiled", layers=OTHERS),
    Way(name="fused", path=_KERNEL, backend=Fused, execution="compiled", layers=RECURRENT),
    Way(name="keras", path=_KERAS, backend=Keras, execution="compiled", layers=RECURRENT),
    Way(name="generic", path=_LOOP, backend=Backend, execution="compiled", layers=RECURRENT),
)
