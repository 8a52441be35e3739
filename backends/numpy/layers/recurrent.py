"""Recurrent layers as NumPy computes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backends.base import Backend, Context, lowers
from backends.numpy.layers.arithmetic import (
    Bools,
    Floats,
    Gradients,
    Lowered,
    Parameters,
    gradient,
    valid_steps,
)
from tasks import spec


class Recurrent(Backend):
    """The lowerings."""

    @lowers(spec.LSTM)
    def lstm(
        self, layer: spec.LSTM, parameters: Parameters, x: Floats, context: Context
    ) -> Lowered:
        """x is (batch, steps, features)."""
        return _levels(_lstm_level, layer, parameters, x, valid_steps(context, x))

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Parameters, x: Floats, context: Context) -> Lowered:
        """x is (batch, steps, features)."""
        return _levels(_gru_level, layer, parameters, x, valid_steps(context, x))


def _levels(
    level: Callable[..., Lowered],
    layer: spec.Recurrent,
    parameters: Parameters,
    x: Floats,
    valid: Bools,
) -> Lowered:
    """The stacked layers of an LSTM or a GRU on x (batch, steps, features)."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    vjps = []
    for ends in layer.levels():
        # Held at invalid steps, a state that begins at the end is 0 up to the last valid one.
        ways = {end: slice(None, None, -1 if end.endswith("_reverse") else 1) for end in ends}
        both = []
        for end, way in ways.items():
            own = {name: parameters[f"{name}_{end}"] for name in names}
            y, level_vjp = level(own, x[:, way], valid[:, way])
            both.append(y[:, way])
            vjps.append((end, way, level_vjp))
        x = np.concatenate(both, axis=-1)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        gradients: Gradients = {}
        directions = 1 + layer.bidirectional
        for first in reversed(range(0, len(vjps), directions)):
            parts = np.split(dy, directions, axis=-1)
            dx = []
            for part, (end, way, level_vjp) in zip(parts, vjps[first:], strict=False):
                one, found = level_vjp(part[:, way])
                dx.append(one[:, way])
                gradients |= {f"{name}_{end}": gradient for name, gradient in found.items()}
            dy = sum(dx[1:], start=dx[0])
        return dy, gradients

    return x, vjp


def _lstm_level(parameters: Parameters, x: Floats, valid: Bools) -> Lowered:
    """One layer of an LSTM on x (batch, steps, features)."""
    samples, steps, _ = x.shape
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    hidden = weight_hh.shape[1]
    given = x @ weight_ih.T + parameters["bias_ih"] + parameters["bias_hh"]
    y, before = np.zeros(
        (2, samples, steps, hidden), x.dtype
    )  # outputs, and the states that steps began at
    h = c = np.zeros((samples, hidden), x.dtype)
    kept = []
    for t in range(steps):
        on = valid[:, t, None]
        before[:, t] = h
        i, f, g, o = np.split(given[:, t] + h @ weight_hh.T, 4, axis=1)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        squashed = np.tanh(f * c + i * g)
        kept.append((on, i, f, g, o, c, squashed))
        c = np.where(on, f * c + i * g, c)
        h = np.where(on, o * squashed, h)
        y[:, t] = np.where(on, h, 0)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        dgates = np.zeros_like(given)
        dh = dc = np.zeros((samples, hidden), x.dtype)
        for t in reversed(range(steps)):
            on, i, f, g, o, c, squashed = kept[t]
            # Of a step that is not valid nothing is made: the state's gradient passes it by.
            dh_here = np.where(on, dh + dy[:, t], 0)
            dc_here = np.where(on, dc + dh_here * o * (1 - squashed**2), 0)
            of_gates = (
                dc_here * g * i * (1 - i),
                dc_here * c * f * (1 - f),
                dc_here * i * (1 - g**2),
                dh_here * squashed * o * (1 - o),
            )
            dgates[:, t] = np.concatenate(of_gates, axis=1)
            dh = np.where(on, dgates[:, t] @ weight_hh, dh)
            dc = np.where(on, dc_here * f, dc)
        bias = gradient("ntg->g", dgates)
        return dgates @ weight_ih, {
            "weight_ih": gradient("ntg,ntf->gf", dgates, x),
            "weight_hh": gradient("ntg,ntf->gf", dgates, before),
            "bias_ih": bias,
            "bias_hh": bias,
        }

    return y, vjp


def _gru_level(parameters: Parameters, x: Floats, valid: Bools) -> Lowered:
    """One layer of a GRU on x (batch, steps, features)."""
    samples, steps, _ = x.shape
    weight_ih, weight_hh = parameters["weight_ih"], parameters["weight_hh"]
    hidden = weight_hh.shape[1]
    given = x @ weight_ih.T + parameters["bias_ih"]
    y, before = np.zeros(
        (2, samples, steps, hidden), x.dtype
    )  # outputs, and the states that steps began at
    h = np.zeros((samples, hidden), x.dtype)
    kept = []
    for t in range(steps):
        on = valid[:, t, None]
        before[:, t] = h
        of_input = np.split(given[:, t], 3, axis=1)
        of_state = np.split(h @ weight_hh.T + parameters["bias_hh"], 3, axis=1)
        r, z = (_sigmoid(a + b) for a, b in zip(of_input[:2], of_state[:2], strict=True))
        n = np.tanh(of_input[2] + r * of_state[2])
        kept.append((on, r, z, n, h, of_state[2]))
        h = np.where(on, (1 - z) * n + z * h, h)
        y[:, t] = np.where(on, h, 0)

    def vjp(dy: Floats) -> tuple[Floats, Gradients]:
        dgiven, dstate = np.zeros((2, *given.shape), x.dtype)
        dh = np.zeros((samples, hidden), x.dtype)
        for t in reversed(range(steps)):
            on, r, z, n, h, projected = kept[t]
            # Of a step that is not valid nothing is made: the state's gradient passes it by.
            dh_here = np.where(on, dh + dy[:, t], 0)
            dn = dh_here * (1 - z) * (1 - n**2)
            dr = dn * projected * r * (1 - r)
            dz = dh_here * (h - n) * z * (1 - z)
            dgiven[:, t] = np.concatenate((dr, dz, dn), axis=1)
            dstate[:, t] = np.concatenate((dr, dz, dn * r), axis=1)
            dh = np.where(on, dh_here * z + dstate[:, t] @ weight_hh, dh)
        return dgiven @ weight_ih, {
            "weight_ih": gradient("ntg,ntf->gf", dgiven, x),
            "weight_hh": gradient("ntg,ntf->gf", dstate, before),
            "bias_ih": gradient("ntg->g", dgiven),
            "bias_hh": gradient("ntg->g", dstate),
        }

    return y, vjp


def _sigmoid(x: Floats) -> Floats:
    found: Floats = (1 + np.tanh(x / 2)) / 2  # unlike 1 / (1 + exp(-x)), never overflows
    return found
