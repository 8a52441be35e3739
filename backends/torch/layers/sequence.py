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
