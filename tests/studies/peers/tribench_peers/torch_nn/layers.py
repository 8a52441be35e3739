"""Specs to torch.nn modules."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import singledispatch

import torch
from torch import Tensor, nn

from backends.base import NotSupported
from tasks import spec

Modules = dict[str, nn.Module]  # by the path of the layer that they compute


class Sum(nn.Module):
    """A residual block: its layers beside its shortcut, which may be empty."""

    def __init__(self, layers: nn.Sequential, shortcut: nn.Sequential) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.layers(x)


class Positions(nn.Module):
    """Adds a table, trained or not."""

    def __init__(self, table: Tensor, trained: bool) -> None:
        super().__init__()
        if trained:
            self.weight = nn.Parameter(table)
        else:
            self.register_buffer("weight", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight


class Recurrent(nn.Module):
    """The outputs of nn.LSTM or nn.GRU without its last state."""

    def __init__(self, recurrence: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.recurrence = recurrence

    def forward(self, x: Tensor) -> Tensor:
        return self.recurrence(x)[0]


class LastStep(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, -1]


class MeanSteps(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=1)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands. ``modules`` gets what computes it; ``steps`` is a sequence's length."""

    path: str
    modules: Modules
    steps: int

    def beside(self, layers: spec.Layers) -> nn.Sequential:
        """Layers whose paths begin as this one's does."""
        return sequential(layers, self, self.path[: self.path.rfind(".") + 1])


def sequential(layers: spec.Layers, above: Place, prefix: str = "") -> nn.Sequential:
    """The layers one after the other."""
    made = OrderedDict()
    for name, layer, *named in layers:
        place = replace(above, path=f"{prefix}{name}")
        if named:
            raise NotSupported(f"torch-nn has modules in a row: {place.path} takes named values")
        made[name] = lower(layer, place)
        if not isinstance(layer, spec.Sequential):
            place.modules[place.path] = getattr(made[name], "recurrence", made[name])
    return nn.Sequential(made)


@singledispatch
def lower(layer: spec.Layer, place: Place) -> nn.Module:
    """The module that computes the layer."""
    raise NotSupported(f"torch-nn has no layer {type(layer).__name__}")


@lower.register
def _(layer: spec.Sequential, place: Place) -> nn.Module:
    """nn.TransformerEncoderLayer, if it is one."""
    match layer.layers:
        case (
            (
                _,
                spec.Residual(
                    shortcut=(),
                    layers=((name1, spec.LayerNorm()), (attention, spec.Attention(causal=False))),
                ),
            ),
            (
                _,
                spec.Residual(
                    shortcut=(),
                    layers=(
                        (name2, spec.LayerNorm()),
                        (linear1, spec.Linear(bias=True)),
                        (_, spec.GELU(approximate=False) | spec.ReLU() as activation),
                        (linear2, spec.Linear(bias=True)),
                    ),
                ),
            ),
        ):
            first = True
        case (
            (_, spec.Residual(shortcut=(), layers=((attention, spec.Attention(causal=False)),))),
            (name1, spec.LayerNorm()),
            (
                _,
                spec.Residual(
                    shortcut=(),
                    layers=(
                        (linear1, spec.Linear(bias=True)),
                        (_, spec.GELU(approximate=False) | spec.ReLU() as activation),
                        (linear2, spec.Linear(bias=True)),
                    ),
                ),
            ),
            (name2, spec.LayerNorm()),
        ):
            first = False
        case _:
            return sequential(layer.layers, place, f"{place.path}.")
    parts = _parts(layer)
    made = nn.TransformerEncoderLayer(
        parts[attention].width,
        parts[attention].heads,
        parts[linear1].out_features,
        dropout=0.0,
        activation="relu" if isinstance(activation, spec.ReLU) else "gelu",
        layer_norm_eps=parts[name1].epsilon,
        batch_first=True,
        norm_first=first,
    )
    made.norm2.eps = parts[name2].epsilon
    for name, module in (
        (attention, made.self_attn),
        (name1, made.norm1),
        (name2, made.norm2),
        (linear1, made.linear1),
        (linear2, made.linear2),
    ):
        place.modules[f"{place.path}.{name}"] = module
    return made


def _parts(block: spec.Sequential) -> dict[str, spec.Layer]:
    found = {}
    for name, layer in block.layers:
        found |= dict(layer.layers) if isinstance(layer, spec.Residual) else {name: layer}
    return found


@lower.register
def _(layer: spec.Residual, place: Place) -> nn.Module:
    return Sum(place.beside(layer.layers), place.beside(layer.shortcut))


@lower.register
def _(layer: spec.Conv2d, place: Place) -> nn.Module:
    return nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
        bias=layer.bias,
    )


@lower.register
def _(layer: spec.BatchNorm, place: Place) -> nn.Module:
    if not layer.scale:
        raise NotSupported("torch-nn's batch norm has both weight and bias, or neither")
    return nn.BatchNorm2d(layer.channels, eps=layer.epsilon, momentum=layer.momentum)


@lower.register
def _(layer: spec.MaxPool, place: Place) -> nn.Module:
    return nn.MaxPool2d(layer.size, layer.stride, layer.padding)


@lower.register
def _(layer: spec.AvgPool, place: Place) -> nn.Module:
    counted = layer.count_padding
    return nn.AvgPool2d(layer.size, layer.stride, layer.padding, count_include_pad=counted)


@lower.register
def _(layer: spec.ReLU, place: Place) -> nn.Module:
    return nn.ReLU()


@lower.register
def _(layer: spec.GELU, place: Place) -> nn.Module:
    return nn.GELU(approximate="tanh" if layer.approximate else "none")


@lower.register
def _(layer: spec.Flatten, place: Place) -> nn.Module:
    return nn.Flatten()


@lower.register
def _(layer: spec.Linear, place: Place) -> nn.Module:
    return nn.Linear(layer.in_features, layer.out_features, bias=layer.bias)


@lower.register
def _(layer: spec.Embedding, place: Place) -> nn.Module:
    return nn.Embedding(layer.vocabulary, layer.width)


@lower.register
def _(layer: spec.PositionalEncoding, place: Place) -> nn.Module:
    return Positions(torch.from_numpy(layer.table(place.steps)), trained=False)


@lower.register
def _(layer: spec.PositionalEmbedding, place: Place) -> nn.Module:
    return Positions(torch.zeros(layer.steps, layer.width), trained=True)


@lower.register
def _(layer: spec.LayerNorm, place: Place) -> nn.Module:
    return nn.LayerNorm(layer.width, eps=layer.epsilon)


@lower.register
def _(layer: spec.Attention, place: Place) -> nn.Module:
    raise NotSupported("torch-nn has attention as a part of nn.TransformerEncoderLayer only")


@lower.register
def _(layer: spec.LSTM, place: Place) -> nn.Module:
    return Recurrent(
        nn.LSTM(layer.input_size, layer.hidden_size, layer.num_layers, batch_first=True)
    )


@lower.register
def _(layer: spec.GRU, place: Place) -> nn.Module:
    return Recurrent(
        nn.GRU(layer.input_size, layer.hidden_size, layer.num_layers, batch_first=True)
    )


@lower.register
def _(layer: spec.LastStep, place: Place) -> nn.Module:
    return LastStep()


@lower.register
def _(layer: spec.MeanSteps, place: Place) -> nn.Module:
    return MeanSteps()
