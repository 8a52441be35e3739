"""Recurrent layers as PyTorch computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec

# Compiled, a recurrent layer of at most so many steps is unrolled, and inductor fuses the steps;
# a longer one runs PyTorch's own kernel outside of the graph. (Inside, inductor's mkldnn_rnn_layer
# fails in torch 2.13.)
_UNROLLED_STEPS = 8


class Recurrent(Backend):
    """The lowerings."""

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        # Not by decorators: torch.compiler.disable imports the compiler, 2.6 s that only a compiled
        # execution needs.
        outside = torch.compiler.disable if self.execution == "compiled" else _unchanged
        self.lstm_kernel, self.gru_kernel = outside(_lstm_fused), outside(_gru_fused)

    @lowers(spec.LSTM)
    def lstm(self, layer: spec.LSTM, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return _recurrent(self.lstm_kernel, _lstm_steps, layer, parameters, x, context)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return _recurrent(self.gru_kernel, _gru_steps, layer, parameters, x, context)


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _recurrent(
    fused: Callable[..., Tensor],
    steps: Callable[..., Tensor],
    layer: spec.Recurrent,
    parameters: Tensors,
    x: Tensor,
    context: Context,
) -> Tensor:
    valid = context.valid
    if valid is not None:
        # Invalid steps hold the state, so the valid ones may as well stand together in front.
        order = torch.argsort(~valid, dim=1, stable=True)[..., None]
        x = torch.gather(x, 1, order.expand_as(x))
    if torch.compiler.is_compiling() and x.shape[1] <= _UNROLLED_STEPS:
        y = steps(layer, parameters, x)
    else:
        y = fused(layer, parameters, x, context.training)
    if valid is not None:
        back = torch.argsort(order, dim=1)
        y = torch.gather(y, 1, back.expand_as(y)) * valid[..., None]
    return y


def _lstm_fused(layer: spec.LSTM, parameters: Tensors, x: Tensor, training: bool) -> Tensor:
    start = x.new_zeros(layer.num_layers, x.shape[0], layer.hidden_size)
    weights = [parameters[name] for name in layer.parameters()]
    y, _, _ = torch.lstm(
        x, (start, start), weights, True, layer.num_layers, 0.0, training, False, True
    )
    return y


def _lstm_steps(layer: spec.LSTM, parameters: Tensors, x: Tensor) -> Tensor:
    for level in range(layer.num_layers):
        weight, bias = parameters[f"weight_ih_l{level}"], parameters[f"bias_ih_l{level}"]
        recurrent = parameters[f"weight_hh_l{level}"]
        projected = F.linear(x, weight, bias + parameters[f"bias_hh_l{level}"])  # all steps at once
        h = c = x.new_zeros(x.shape[0], layer.hidden_size)
        outputs = []
        for step in projected.unbind(1):
            i, f, g, o = (step + F.linear(h, recurrent)).chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        x = torch.stack(outputs, dim=1)
    return x


def _gru_fused(layer: spec.GRU, parameters: Tensors, x: Tensor, training: bool) -> Tensor:
    start = x.new_zeros(layer.num_layers, x.shape[0], layer.hidden_size)
    weights = [parameters[name] for name in layer.parameters()]
    y, _ = torch.gru(x, start, weights, True, layer.num_layers, 0.0, training, False, True)
    return y


def _gru_steps(layer: spec.GRU, parameters: Tensors, x: Tensor) -> Tensor:
    for level in range(layer.num_layers):
        weight, bias = parameters[f"weight_ih_l{level}"], parameters[f"bias_ih_l{level}"]
        recurrent, held = parameters[f"weight_hh_l{level}"], parameters[f"bias_hh_l{level}"]
        h = x.new_zeros(x.shape[0], layer.hidden_size)
        outputs = []
        for step in F.linear(x, weight, bias).unbind(1):
            of_input, of_state = step.chunk(3, dim=1), F.linear(h, recurrent, held).chunk(3, dim=1)
            r = torch.sigmoid(of_input[0] + of_state[0])
            z = torch.sigmoid(of_input[1] + of_state[1])
            n = torch.tanh(of_input[2] + r * of_state[2])
            h = (1 - z) * n + z * h
            outputs.append(h)
        x = torch.stack(outputs, dim=1)
    return x
