"""Recurrent layers as PyTorch computes them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
        return _recurrent(self.lstm_kernel, _lstm_level, layer, parameters, x, context)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return _recurrent(self.gru_kernel, _gru_level, layer, parameters, x, context)


def _unchanged(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def _recurrent(
    fused: Callable[..., Tensor],
    level: Callable[..., Tensor],
    layer: spec.Recurrent,
    parameters: Tensors,
    x: Tensor,
    context: Context,
) -> Tensor:
    """``fused`` is PyTorch's kernel for all levels, ``level`` one direction of one, unrolled."""
    valid, both = context.valid, layer.bidirectional
    unrolled = torch.compiler.is_compiling() and x.shape[1] <= _UNROLLED_STEPS
    weights = [
        [parameters[f"{k}_{of}_{end}"] for k in ("weight", "bias") for of in ("ih", "hh")]
        for ends in layer.levels()
        for end in ends
    ]
    if not unrolled and (valid is None or not both):
        return _in_front(lambda x: fused(weights, x, context.training, both), x, valid)

    def one(own: list[Tensor], x: Tensor) -> Tensor:
        return level(own, x) if unrolled else fused([own], x, context.training, False)

    if not both:

        def every(x: Tensor) -> Tensor:
            for own in weights:
                x = one(own, x)
            return x

        return _in_front(every, x, valid)
    backward = None if valid is None else valid.flip(1)
    for number in range(0, len(weights), 2):
        ahead = _in_front(partial(one, weights[number]), x, valid)
        back = _in_front(partial(one, weights[number + 1]), x.flip(1), backward)
        x = torch.cat((ahead, back.flip(1)), dim=-1)
    return x


def _in_front(run: Callable[[Tensor], Tensor], x: Tensor, valid: Tensor | None) -> Tensor:
    """A recurrence over the valid steps. Invalid ones hold the state, so the valid ones may as well
    stand together in front.
    """
    if valid is None:
        return run(x)
    order = torch.argsort(~valid, dim=1, stable=True)[..., None]
    y = run(torch.gather(x, 1, order.expand_as(x)))
    back = torch.argsort(order, dim=1)
    return torch.gather(y, 1, back.expand_as(y)) * valid[..., None]


def _lstm_fused(weights: list[list[Tensor]], x: Tensor, training: bool, both: bool) -> Tensor:
    start = _start(weights, x)
    flat = [one for own in weights for one in own]
    levels = len(weights) >> both
    y, _, _ = torch.lstm(x, (start, start), flat, True, levels, 0.0, training, both, True)
    return y


def _lstm_level(own: list[Tensor], x: Tensor) -> Tensor:
    weight, recurrent, bias, held = own
    h = c = x.new_zeros(x.shape[0], recurrent.shape[1])
    outputs = []
    for step in F.linear(x, weight, bias + held).unbind(1):  # all steps at once
        i, f, g, o = (step + F.linear(h, recurrent)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def _gru_fused(weights: list[list[Tensor]], x: Tensor, training: bool, both: bool) -> Tensor:
    flat = [one for own in weights for one in own]
    levels = len(weights) >> both
    y, _ = torch.gru(x, _start(weights, x), flat, True, levels, 0.0, training, both, True)
    return y


def _gru_level(own: list[Tensor], x: Tensor) -> Tensor:
    weight, recurrent, bias, held = own
    h = x.new_zeros(x.shape[0], recurrent.shape[1])
    outputs = []
    for step in F.linear(x, weight, bias).unbind(1):
        of_input, of_state = step.chunk(3, dim=1), F.linear(h, recurrent, held).chunk(3, dim=1)
        r = torch.sigmoid(of_input[0] + of_state[0])
        z = torch.sigmoid(of_input[1] + of_state[1])
        n = torch.tanh(of_input[2] + r * of_state[2])
        h = (1 - z) * n + z * h
        outputs.append(h)
    return torch.stack(outputs, dim=1)


def _start(weights: list[list[Tensor]], x: Tensor) -> Tensor:
    """The state before the first step, of every level and direction."""
    return x.new_zeros(len(weights), x.shape[0], weights[0][1].shape[1])
