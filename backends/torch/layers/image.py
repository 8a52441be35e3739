"""Layers on images as PyTorch computes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from backends.base import Backend, Context, lowers
from backends.torch.layers.arithmetic import Tensors
from tasks import spec


class Image(Backend):
    """The lowerings."""

    @lowers(spec.Conv2d)
    def conv2d(
        self, layer: spec.Conv2d, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters.get("bias")
        return F.conv2d(x, weight, bias, layer.stride, layer.padding, groups=layer.groups)

    @lowers(spec.MaxPool)
    def max_pool(
        self, layer: spec.MaxPool, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return F.max_pool2d(x, layer.size, layer.stride, layer.padding)

    @lowers(spec.AvgPool)
    def avg_pool(
        self, layer: spec.AvgPool, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        counted = layer.count_padding
        return F.avg_pool2d(x, layer.size, layer.stride, layer.padding, count_include_pad=counted)

    @lowers(spec.BatchNorm)
    def batch_norm(
        self, layer: spec.BatchNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        mean, variance = context.buffer("running_mean"), context.buffer("running_var")
        if context.training:  # the kernel writes into them
            mean, variance = mean.clone(), variance.clone()
            context.set_buffer("running_mean", mean)
            context.set_buffer("running_var", variance)
        weight, bias = parameters.get("weight"), parameters["bias"]
        return F.batch_norm(
            x, mean, variance, weight, bias, context.training, layer.momentum, layer.epsilon
        )

    @lowers(spec.GroupNorm)
    def group_norm(
        self, layer: spec.GroupNorm, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        return F.group_norm(x, layer.groups, weight, bias, layer.epsilon)

    @lowers(spec.Flatten)
    def flatten(
        self, layer: spec.Flatten, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return torch.flatten(x, 1)

    @lowers(spec.MeanPlaces)
    def mean_places(
        self, layer: spec.MeanPlaces, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return x.mean(dim=(2, 3))

    @lowers(spec.PlacesToSteps)
    def places_to_steps(
        self, layer: spec.PlacesToSteps, parameters: Tensors, x: Tensor, context: Context
    ) -> Tensor:
        return x.flatten(2).transpose(1, 2)
