"""Layers that change which steps a sequence has, as PyTorch computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec


class Steps(Backend):
    """The lowerings."""

    @lowers(spec.Conv1d)
    def conv1d(
        self, layer: spec.Conv1d, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        if context.valid is not None:
            x = x.masked_fill(~context.valid[..., None], 0.0)
        weight, bias = parameters["weight"], parameters.get("bias")
        x = x.transpose(1, 2)
        y = F.conv1d(x, weight, bias, layer.stride, layer.padding, groups=layer.groups)
        return y.transpose(1, 2)

    @lowers(spec.ClassToken)
    def class_token(
        self, layer: spec.ClassToken, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return torch.cat((parameters["weight"].expand(len(x), 1, -1), x), dim=1)

    @lowers(spec.FirstStep)
    def first_step(
        self, layer: spec.FirstStep, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return x[:, 0]
