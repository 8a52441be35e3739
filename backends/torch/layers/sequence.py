"""Layers on sequences as PyTorch computes them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec


class Sequence(Backend):
    """The lowerings."""

    target: torch.device
    dtype: torch.dtype
    constants: dict[str, Tensor]

    @lowers(spec.Embedding)
    def embedding(
        self, layer: spec.Embedding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        y = F.embedding(x, parameters["weight"])
        return y if layer.scale == 1 else y * layer.scale

    @lowers(spec.PositionalEncoding)
    def positional_encoding(
        self, layer: spec.PositionalEncoding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        name = f"positions.{x.shape[1]}.{layer.width}.{layer.layout}"
        table = self._constant(name, layer.table(x.shape[1]))
        return x + table.to(x.dtype)

    @lowers(spec.PositionalEmbedding)
    def positional_embedding(
        self, layer: spec.PositionalEmbedding, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight = parameters["weight"]
        if layer.count == "valid" and context.valid is not None:
            at = layer.offset + (context.valid.cumsum(dim=1) - 1).clamp(min=0)
            return x + torch.where(context.valid[..., None], F.embedding(at, weight), 0.0)
        if layer.table_rows == layer.steps:
            return x + weight
        return x + weight[layer.offset : layer.offset + layer.steps]

    @lowers(spec.Rotary)
    def rotary(
        self, layer: spec.Rotary, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        steps = x.shape[-2]
        name = f"rotary.{steps}.{layer.width}.{layer.base}"
        cos, sin = self._constant(name, layer.tables(steps)).unbind()
        halves = layer.layout == "halves"
        a, b = x.chunk(2, dim=-1) if halves else (x[..., 0::2], x[..., 1::2])
        pair = a * cos - b * sin, a * sin + b * cos
        turned = torch.cat(pair, dim=-1) if halves else torch.stack(pair, dim=-1).flatten(-2)
        return turned.to(x.dtype)

    @lowers(spec.Attention)
    def attention(
        self,
        layer: spec.Attention,
        parameters: Tensors,
        x: Tensor | tuple[Tensor, Tensor],
        context: Context,
    ) -> Tensor:
        first, memory = x if isinstance(x, tuple) else (x, x)
        valid = context.memory_valid if isinstance(x, tuple) else context.valid

        def heads(name: str, x: Tensor, number: int) -> Tensor:
            weight, bias = parameters[f"{name}.weight"], parameters.get(f"{name}.bias")
            y = F.linear(x, weight, bias).view(*x.shape[:2], number, -1).transpose(1, 2)
            if layer.rotary is None or name == "value":
                return y
            return self.lowering(layer.rotary)(layer.rotary, {}, y, context)

        mask = None
        if valid is not None:
            mask = valid[:, None, None, :]
            if layer.causal:
                sides = first.shape[1], memory.shape[1]
                mask = mask & torch.ones(sides, dtype=torch.bool, device=first.device).tril()
        mixed = F.scaled_dot_product_attention(
            heads("query", first, layer.heads),
            heads("key", memory, layer.shared_heads),
            heads("value", memory, layer.shared_heads),
            attn_mask=mask,
            is_causal=layer.causal and mask is None,
            enable_gqa=layer.shared_heads < layer.heads,
        )
        if mask is not None:  # a row that sees nothing is 0 by the spec, whatever the kernel gives
            mixed = torch.where(mask.any(-1, keepdim=True), mixed, 0.0)
        joined = mixed.transpose(1, 2).reshape(first.shape)
        return F.linear(joined, parameters["output.weight"], parameters.get("output.bias"))

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

    def _constant(self, name: str, array: NDArray[Any]) -> Tensor:
        """A float64 table in this program's precision, on its device; made once."""
        if name not in self.constants:
            self.constants[name] = torch.as_tensor(array, dtype=self.dtype, device=self.target)
        return self.constants[name]
