"""Each layer type as PyTorch computes it. Images are (batch, channels, height, width) in
channels-last memory, sequences (batch, steps, features).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backends.base import Backend, Context, lowers
from tasks import spec

Tensors = dict[str, Tensor]

# Compiled, a recurrent layer of at most so many steps is unrolled, and inductor fuses the steps;
# a longer one runs PyTorch's own kernel outside of the graph. (Inside, inductor's mkldnn_rnn_layer
# fails in torch 2.13.)
_UNROLLED_STEPS = 8


class Layers(Backend):
    """The lowerings."""

    target: torch.device
    dtype: torch.dtype
    constants: dict[str, Tensor]

    def __init__(
        self, *, device: str = "cpu", precision: str = "float32", execution: str | None = None
    ) -> None:
        super().__init__(device=device, precision=precision, execution=execution)
        # Not by decorators: torch.compiler.disable imports the compiler, 2.6 s that only a compiled
        # execution needs.
        outside = torch.compiler.disable if self.execution == "compiled" else _unchanged
        self.lstm_kernel, self.gru_kernel = outside(_lstm_fused), outside(_gru_fused)

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters.get("bias")
        return F.conv2d(x, weight, bias, stride=layer.stride, padding=layer.padding)

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.max_pool2d(x, layer.size, layer.stride)

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.avg_pool2d(x, layer.size, layer.stride)

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        if context.training:  # the kernel writes into them
            mean, variance = mean.clone(), variance.clone()
            context.set_buffer("running_mean", mean)
            context.set_buffer("running_var", variance)
        weight, bias = parameters["weight"], parameters["bias"]
        return F.batch_norm(
            x, mean, variance, weight, bias, context.training, layer.momentum, layer.epsilon
        )

    @lowers(spec.ReLU)
    def relu(self, layer: spec.ReLU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return F.relu(x)

    @lowers(spec.GELU)
    def gelu(self, layer: spec.GELU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return F.gelu(x, approximate="tanh" if layer.approximate else "none")

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return torch.flatten(x, 1)

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.linear(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.embedding(x, parameters["weight"])

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        table = self._constant(f"positions.{x.shape[1]}.{layer.width}", layer.table(x.shape[1]))
        return x + table.to(x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return x + parameters["weight"]

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        return F.layer_norm(x, (layer.width,), weight, bias, layer.epsilon)

    @lowers(spec.Attention)
    def attention(
        self, layer: spec.Attention, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        batch, steps, width = x.shape

        def heads(name: str) -> Tensor:
            weight, bias = parameters[f"{name}.weight"], parameters.get(f"{name}.bias")
            return F.linear(x, weight, bias).view(batch, steps, layer.heads, -1).transpose(1, 2)

        mask = None
        if context.valid is not None:
            mask = context.valid[:, None, None, :]
            if layer.causal:
                causal = torch.ones(steps, steps, dtype=torch.bool, device=x.device).tril()
                mask = mask & causal
        mixed = F.scaled_dot_product_attention(
            heads("query"),
            heads("key"),
            heads("value"),
            attn_mask=mask,
            is_causal=layer.causal and mask is None,
        )
        if mask is not None:  # a row that sees nothing is 0 by the spec, whatever the kernel gives
            mixed = torch.where(mask.any(-1, keepdim=True), mixed, 0.0)
        joined = mixed.transpose(1, 2).reshape(batch, steps, width)
        return F.linear(joined, parameters["output.weight"], parameters["output.bias"])

    @lowers(spec.LSTM)
    def lstm(self, layer: spec.LSTM, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return _recurrent(self.lstm_kernel, _lstm_steps, layer, parameters, x, context)

    @lowers(spec.GRU)
    def gru(self, layer: spec.GRU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return _recurrent(self.gru_kernel, _gru_steps, layer, parameters, x, context)

    @lowers(spec.LastStep)
    def last_step(
        self, layer: spec.LastStep, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        if context.valid is None:
            return x[:, -1]
        steps = torch.arange(x.shape[1], device=x.device)
        last = torch.where(context.valid, steps, -1).amax(dim=1)
        picked = x[torch.arange(len(x), device=x.device), last.clamp(min=0)]
        return torch.where(last[:, None] >= 0, picked, 0.0)

    @lowers(spec.MeanSteps)
    def mean_steps(
        self, layer: spec.MeanSteps, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        if context.valid is None:
            return x.mean(dim=1)
        counts = context.valid.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.where(context.valid[..., None], x, 0.0).sum(dim=1) / counts

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Tensors, x: tuple[Tensor, ...], context: Context
    ) -> Tensor:
        return sum(x[1:], start=x[0])

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Tensors, x: tuple[Tensor, ...], context: Context
    ) -> Tensor:
        return torch.cat(x, dim=1 + layer.along(x[0].dim() - 1))

    def _constant(self, name: str, array: NDArray[Any]) -> Tensor:
        """A float64 table in this program's precision, on its device; made once."""
        if name not in self.constants:
            self.constants[name] = torch.as_tensor(array, dtype=self.dtype, device=self.target)
        return self.constants[name]


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
