"""Recurrent layers as JAX computes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.experimental import rnn

from backends.base import Backend, Context, lowers
from backends.jax.layers.arithmetic import Arrays, affine, product, wide
from tasks import spec


class Recurrent(Backend):
    """The lowerings."""

    @lowers(spec.LSTM)
    def lstm(self, layer: spec.LSTM, parameters: Arrays, x: Array, context: Context) -> Array:
        # cuDNN's, which JAX binds in float32 alone: a training step of rnn-small takes 0.79 of the
        # scan's time, a prediction 1.12 (JAX 0.11.2, H100).
        fits = x.dtype == jnp.float32 and not layer.bidirectional
        if self.device == "cuda" and fits and context.training:
            return _in_front(partial(_lstm_cudnn, layer, parameters), x, context.valid)
        ahead = self._projects_ahead(context)
        valid = None if context.valid is None else context.valid.T[..., None]
        x = x.swapaxes(0, 1)  # scanned along the first axis
        for ends in layer.levels():
            both = []
            for end in ends:
                bias = parameters[f"bias_ih_{end}"] + parameters[f"bias_hh_{end}"]
                weight, recurrent = parameters[f"weight_ih_{end}"], parameters[f"weight_hh_{end}"]
                back = end.endswith("_reverse")
                both.append(_lstm_steps(x, valid, weight, recurrent, bias, ahead, back))
            x = _joined(both)
        return x.swapaxes(0, 1)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Arrays, x: Array, context: Context) -> Array:
        ahead = self._projects_ahead(context)
        valid = None if context.valid is None else context.valid.T[..., None]
        x = x.swapaxes(0, 1)  # scanned along the first axis
        for ends in layer.levels():
            both = []
            for end in ends:
                weight, recurrent = parameters[f"weight_ih_{end}"], parameters[f"weight_hh_{end}"]
                biases = parameters[f"bias_ih_{end}"], parameters[f"bias_hh_{end}"]
                back = end.endswith("_reverse")
                both.append(_gru_steps(x, valid, weight, recurrent, biases, ahead, back))
            x = _joined(both)
        return x.swapaxes(0, 1)

    def _projects_ahead(self, context: Context) -> bool:
        """Whether a recurrent level multiplies all steps' inputs at once, before its scan."""
        # Not in inference on the CPU: a scan whose steps multiply input and state takes 0.66 of the
        # time (LSTM) and 0.75 (GRU; two levels of 256, 16 rows of 64 steps, JAX 0.10.2, two cores),
        # 0.52 with 128 rows of rnn-tiny. In training no form was faster.
        return context.training or self.device != "cpu"


def _joined(both: list[Array]) -> Array:
    """What the directions of one level give."""
    return both[0] if len(both) == 1 else jnp.concatenate(both, axis=-1)


def _in_front(run: Callable[[Array], Array], x: Array, valid: Array | None) -> Array:
    """A recurrence over the valid steps. Invalid ones hold the state, so the valid ones may as well
    stand together in front.
    """
    if valid is None:
        return run(x)
    order = jnp.argsort(~valid, axis=1, stable=True)[..., None]
    y = run(jnp.take_along_axis(x, order, axis=1))
    y = jnp.take_along_axis(y, jnp.argsort(order, axis=1), axis=1)
    return jnp.where(valid[..., None], y, 0.0)


def _lstm_cudnn(layer: spec.LSTM, parameters: Arrays, x: Array) -> Array:
    """cuDNN's, which takes the weights of all levels and then the biases as one vector."""
    levels = range(layer.num_layers)
    names = [f"{k}_{of}_l{n}" for k in ("weight", "bias") for n in levels for of in ("ih", "hh")]
    weights = jnp.concatenate([parameters[name].ravel() for name in names])
    start = jnp.zeros((layer.num_layers, len(x), layer.hidden_size), x.dtype)
    lengths = jnp.full(len(x), x.shape[1], jnp.int32)
    sizes = (layer.input_size, layer.hidden_size, layer.num_layers)
    return rnn.lstm(x, start, start, weights, lengths, *sizes, 0.0, False)[0]


def _lstm_steps(
    x: Array,
    valid: Array | None,
    weight: Array,
    recurrent: Array,
    bias: Array,
    ahead: bool,
    back: bool,
) -> Array:
    """One level and direction, (steps, batch, features); ``valid`` is (steps, batch, 1) or None."""
    x = affine(x, weight, bias) if ahead else x
    joined = jnp.concatenate((weight, recurrent), axis=1).T

    def cell(
        held: tuple[Array, Array], now: tuple[Array, Array | None]
    ) -> tuple[tuple[Array, Array], Array]:
        (h, c), (given, keep) = held, now
        if ahead:
            gates = given + product(h, recurrent.T)
        else:
            gates = product(jnp.concatenate((given, h), axis=-1), joined) + bias
        i, f, g, o = jnp.split(gates, 4, axis=-1)
        new_c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        new_h = (jax.nn.sigmoid(o) * jnp.tanh(new_c)).astype(h.dtype)
        if keep is None:
            return (new_h, new_c), new_h
        state = jnp.where(keep, new_h, h), jnp.where(keep, new_c, c)
        return state, jnp.where(keep, new_h, 0.0)

    start = jnp.zeros((x.shape[1], recurrent.shape[1]), x.dtype)
    return lax.scan(cell, (start, wide(start)), (x, valid), reverse=back)[1]


def _gru_steps(
    x: Array,
    valid: Array | None,
    weight: Array,
    recurrent: Array,
    biases: tuple[Array, Array],
    ahead: bool,
    back: bool,
) -> Array:
    """One level and direction, (steps, batch, features); ``valid`` is (steps, batch, 1) or None."""
    x = affine(x, weight, biases[0]) if ahead else x
    of_x, of_h = weight.T, recurrent.T
    # Else XLA transposes in every step: so inference takes 0.85 of the time (gru-small, JAX 0.10.2,
    # two cores, 16 rows), while training, which projects ahead, took 1.04 of it.
    if not ahead:
        of_x, of_h = lax.optimization_barrier((of_x, of_h))

    def cell(h: Array, now: tuple[Array, Array | None]) -> tuple[Array, Array]:
        given, keep = now
        gates = given if ahead else product(given, of_x) + biases[0]
        of_input = jnp.split(wide(gates), 3, axis=-1)
        of_state = jnp.split(product(h, of_h) + biases[1], 3, axis=-1)
        r = jax.nn.sigmoid(of_input[0] + of_state[0])
        z = jax.nn.sigmoid(of_input[1] + of_state[1])
        n = jnp.tanh(of_input[2] + r * of_state[2])
        new_h = ((1 - z) * n + z * h).astype(h.dtype)
        if keep is None:
            return new_h, new_h
        return jnp.where(keep, new_h, h), jnp.where(keep, new_h, 0.0)

    start = jnp.zeros((x.shape[1], recurrent.shape[1]), x.dtype)
    return lax.scan(cell, start, (x, valid), reverse=back)[1]
