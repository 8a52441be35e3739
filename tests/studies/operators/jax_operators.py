"""The ways of JAX: the adapter's, and what the library has ready-made for the same."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import rnn

from backends.base import NotSupported, lowers
from backends.jax import Backend
from backends.jax.program import Program, Resident
from tasks import spec
from tests.studies.operators.operators import OTHERS, PATH, RECURRENT, Way


class Window(Backend):
    """Max pooling as lax has it; see the adapter's for why it is not used."""

    @lowers(spec.MaxPool)
    def max_pool(self, layer, parameters, x, context):
        size, stride = (1, layer.size, layer.size, 1), (1, layer.stride, layer.stride, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, size, stride, "VALID")


class Fused(Backend):
    """cuDNN's LSTM. Not run on a GPU yet; a wrong answer would be a failure and no row."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        if self.device == "cpu":
            raise NotSupported("JAX has a fused recurrent kernel on GPUs only, cuDNN's")

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        start = jnp.zeros((layer.num_layers, len(x), layer.hidden_size), x.dtype)
        matrices = [name for name in layer.parameters() if name.startswith("weight")]
        biases = [name for name in layer.parameters() if name.startswith("bias")]
        packed = jnp.concatenate([parameters[name].ravel() for name in matrices + biases])
        lengths = jnp.full(len(x), x.shape[1], jnp.int32)
        sizes = (layer.input_size, layer.hidden_size, layer.num_layers)
        return rnn.lstm(x, start, start, packed, lengths, *sizes, 0.0, False)[0]

    @lowers(spec.GRU)
    def gru(self, layer, parameters, x, context):
        raise NotSupported("JAX has no fused GRU (jax.experimental.rnn has LSTM only)")


def forward_backward(
    program: Program, batch: Resident, upstream: Array
) -> Callable[[], dict[str, Array]]:
    """A call of the layer and of its gradients."""
    own, masks = spec.local(program.parameters, PATH), {"valid": batch.valid}

    def call() -> dict[str, Array]:
        y, gradients, dx = jax.block_until_ready(
            program.run_vjp(PATH, own, program.buffers, batch.inputs, masks, upstream, None)
        )
        return {"output": y, "input": dx} | gradients

    return call


_JIT, _WINDOW, _SCAN = "jax.jit, XLA", "lax.reduce_window", "lax.scan"
_CUDNN = "jax.experimental.rnn, cuDNN"

WAYS = (
    Way(name="compiled", path=_JIT, backend=Backend, execution="compiled", layers=OTHERS),
    Way(name="window", path=_WINDOW, backend=Window, execution="compiled", layers=(spec.MaxPool,)),
    Way(name="fused", path=_CUDNN, backend=Fused, execution="compiled", layers=RECURRENT),
    Way(name="generic", path=_SCAN, backend=Backend, execution="compiled", layers=RECURRENT),
)
