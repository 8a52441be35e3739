"""Layers of several values as PyTorch computes them."""

from __future__ import annotations

import torch
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec


class Several(Backend):
    """The lowerings."""

    @lowers(spec.Add)
    def add(
        self, layer: spec.Add, parameters: Tensors, x: tuple[Tensor, ...], context: Context
    ) -> Tensor:
        return sum(x[1:], start=x[0])

    @lowers(spec.Multiply)
    def multiply(
        self, layer: spec.Multiply, parameters: Tensors, x: tuple[Tensor, ...], context: Context
    ) -> Tensor:
        return x[0] * x[1]

    @lowers(spec.Concat)
    def concat(
        self, layer: spec.Concat, parameters: Tensors, x: tuple[Tensor, ...], context: Context
    ) -> Tensor:
        return torch.cat(x, dim=1 + layer.along(x[0].dim() - 1))
