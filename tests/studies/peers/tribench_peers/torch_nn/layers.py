"""Specs to torch.nn modules."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import singledispatch

import torch
import torch.nn.functional as F
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


class Added(nn.Module):
    """The sum of values."""

    def forward(self, first: Tensor, *others: Tensor) -> Tensor:
        for value in others:
            first = first + value
        return first


class Graph(nn.Module):
    """Layers that take values by name, of inputs by name; ``valid`` has the masks of inputs that
    are padded. A value has the mask of the first of those that it is made of.
    """

    def __init__(self, model: spec.ModelSpec, modules: Modules) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules.values())
        places = model.places()
        self.takes = [(place.path, place.sources) for place in places]
        lasts = {source: place.path for place in places for source in place.sources}
        self.ends = [[name for name in lasts if lasts[name] == place.path] for place in places]

    def forward(self, inputs: dict[str, Tensor], valid: dict[str, Tensor]) -> Tensor:
        values, masks = dict(inputs), dict(valid)
        for part, (path, sources), ends in zip(self.parts, self.takes, self.ends, strict=True):
            given = [values[name] for name in sources]
            if isinstance(part, Attention):
                values[path] = part(*given, valid=masks.get(sources[-1]))
            else:
                values[path] = part(*given)
            masks[path] = masks.get(sources[0])
            for name in ends:  # or else predictions hold every value to the end
                del values[name]
        return values[path]


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


class Attention(nn.Module):
    """nanoGPT's: one product for queries, keys and values, or of a memory's keys and values, and
    the fused kernel. Its parameters have the names that nn.MultiheadAttention gives them.
    """

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)
        self.width, self.heads, self.causal = width, heads, causal

    def forward(
        self, x: Tensor, memory: Tensor | None = None, valid: Tensor | None = None
    ) -> Tensor:
        weight, bias, width = self.in_proj_weight, self.in_proj_bias, self.width
        if memory is None:
            projected = F.linear(x, weight, bias).split(width, dim=-1)
        else:
            both = F.linear(memory, weight[width:], bias[width:])
            projected = F.linear(x, weight[:width], bias[:width]), *both.split(width, dim=-1)
        query, key, value = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in projected)
        mask = None
        if valid is not None:
            mask = valid[:, None, None]
            if self.causal:
                sides = x.shape[1], key.shape[2]
                mask = mask & torch.ones(sides, dtype=torch.bool, device=x.device).tril()
        y = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=self.causal and mask is None
        )
        return self.out_proj(y.transpose(1, 2).flatten(-2))


class ScaledEmbedding(nn.Embedding):
    """Its rows times a number."""

    def __init__(self, vocabulary: int, width: int, scale: float) -> None:
        super().__init__(vocabulary, width)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class ConvolvedSteps(nn.Conv1d):
    """Of a sequence whose steps stand before its features."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


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


def model(given: spec.ModelSpec, modules: Modules) -> nn.Module:
    """Layers in a row, or a graph where inputs have names; ``modules`` gets them."""
    steps = next(iter(given.every_input.values())).shape[0]
    above = Place(path="", modules=modules, steps=steps)
    if given.input is not None:
        made = sequential(given.layers, above)
    else:
        for place in given.places():
            if type(place.layer).valid is not spec.Layer.valid:
                raise NotSupported(f"torch-nn's graphs keep their steps, {place.path} does not")
            steps = place.input_shape[0]
            plain = not isinstance(place.layer, spec.Residual)
            at = replace(above, path=place.path, steps=steps)
            modules[place.path] = lower(place.layer, at) if plain else Added()
        made = Graph(given, modules)
    for tied, owner in given.ties:
        (path, name), (owners, source) = (each.rsplit(".", 1) for each in (tied, owner))
        setattr(modules[path], name, getattr(modules[owners], source))
    return made


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
def _(layer: spec.Add, place: Place) -> nn.Module:
    return Added()


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
    if layer.scale == 1:
        return nn.Embedding(layer.vocabulary, layer.width)
    return ScaledEmbedding(layer.vocabulary, layer.width, layer.scale)


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
    return Attention(layer.width, layer.heads, layer.causal)


@lower.register
def _(layer: spec.LSTM, place: Place) -> nn.Module:
    return _recurrent(nn.LSTM, layer)


@lower.register
def _(layer: spec.GRU, place: Place) -> nn.Module:
    return _recurrent(nn.GRU, layer)


def _recurrent(kind: type[nn.LSTM | nn.GRU], layer: spec.Recurrent) -> nn.Module:
    made = kind(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        batch_first=True,
        bidirectional=layer.bidirectional,
    )
    return Recurrent(made)


@lower.register
def _(layer: spec.Conv1d, place: Place) -> nn.Module:
    return ConvolvedSteps(
        layer.in_features,
        layer.out_features,
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
        bias=layer.bias,
    )


@lower.register
def _(layer: spec.LastStep, place: Place) -> nn.Module:
    return LastStep()


@lower.register
def _(layer: spec.MeanSteps, place: Place) -> nn.Module:
    return MeanSteps()
