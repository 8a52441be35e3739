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
        if layer.over == "valid":
            return _steps_norm(layer, parameters, x, context)
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


def _steps_norm(layer: spec.BatchNorm, parameters: Tensors, x: Tensor, context: Context) -> Tensor:
    """Batch norm of (batch, steps, channels) over valid steps, by hand: to pick them for the kernel
    would give a shape that only their number tells, which torch.compile cannot take.
    """
    valid = x.new_ones(x.shape[:2], dtype=torch.bool) if context.valid is None else context.valid
    hidden = ~valid[..., None]
    x = x.masked_fill(hidden, 0.0)
    mean, variance = context.buffer("running_mean"), context.buffer("running_var")
    if context.training:
        count = valid.sum().clamp(min=1).to(x.dtype)
        olds = {"running_mean": mean, "running_var": variance}
        mean = x.sum(dim=(0, 1)) / count
        variance = (x - mean).masked_fill(hidden, 0.0).square().sum(dim=(0, 1)) / count
        unbiased = variance * (count / (count - 1).clamp(min=1))
        for (name, old), new in zip(olds.items(), (mean, unbiased), strict=True):
            context.set_buffer(name, torch.lerp(old, new.detach(), layer.momentum))
    normal = (x - mean) * torch.rsqrt(variance + layer.epsilon)
    y = normal * parameters["weight"] if layer.scale else normal
    return (y + parameters["bias"]).masked_fill(hidden, 0.0)
