"""Layers on the last axis as PyTorch computes them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec


class Dense(Backend):
    """The lowerings."""

    @lowers(spec.ReLU)
    def relu(self, layer: spec.ReLU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return F.relu(x)

    @lowers(spec.Dropout)
    def dropout(
        self, layer: spec.Dropout, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.dropout(x, layer.rate, context.training)

    @lowers(spec.GELU)
    def gelu(self, layer: spec.GELU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return F.gelu(x, approximate="tanh" if layer.approximate else "none")

    @lowers(spec.SiLU)
    def silu(self, layer: spec.SiLU, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return F.silu(x)

    @lowers(spec.Sigmoid)
    def sigmoid(
        self, layer: spec.Sigmoid, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return x.sigmoid()

    @lowers(spec.Tanh)
    def tanh(self, layer: spec.Tanh, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
        return x.tanh()

    @lowers(spec.Linear)
    def linear(
        self, layer: spec.Linear, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.linear(x, parameters["weight"], parameters.get("bias"))

    @lowers(spec.LayerNorm)
    def layer_norm(
        self, layer: spec.LayerNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        return F.layer_norm(x, (layer.width,), weight, bias, layer.epsilon)

    @lowers(spec.RMSNorm)
    def rms_norm(
        self, layer: spec.RMSNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.rms_norm(x, (layer.width,), parameters["weight"], layer.epsilon)
