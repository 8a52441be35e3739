"""Specs to Flax modules. Images are channels-last."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from backends.base import Context, NotSupported, walk_masked
from tasks import spec
from tribench_peers import base

OUTPUT = " output"  # what is sown must not have a module's name


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands; its modules' names begin with the path. ``tied`` has the paths of the
    tables that stand for a layer's weights; ``tables`` gets those that are made.
    """

    path: str
    train: bool
    dtype: jnp.dtype
    valid: Array | None = None
    memory_valid: Array | None = None
    tied: dict[str, str] = field(default_factory=dict)
    tables: dict[str, nn.Embed] = field(default_factory=dict)


@singledispatch
def lower(layer: spec.Layer, x: Array, place: Place) -> Array:
    """What the layer makes of x, inside of a compact module."""
    raise NotSupported(f"flax has no layer {type(layer).__name__}")


class Model(nn.Module):
    """The whole; it sows every layer's output, by path."""

    model: spec.ModelSpec

    @nn.compact
    def __call__(self, x: Any, valid: Any, train: bool, dtype: jnp.dtype) -> Array:
        start = Place(path="", train=train, dtype=dtype, tied=base.tied(self.model))
        context = Context(path="", training=train, valid=valid)

        def apply(path: str, layer: spec.Layer, value: Any) -> Array:
            masks = {"valid": context.valid, "memory_valid": context.memory_valid}
            return lower(layer, value, replace(start, path=path, **masks))

        def observe(path: str, value: Array) -> None:
            self.sow("intermediates", f"{path}{OUTPUT}", value)

        return walk_masked(self.model, x, context, apply, observe)


class Positions(nn.Module):
    """Adds a trained table."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x + self.param("embedding", nn.initializers.normal(), x.shape[1:])


@lower.register
def _(layer: spec.Add, x: tuple[Array, ...], place: Place) -> Array:
    return sum(x[1:], x[0])


@lower.register
def _(layer: spec.Conv1d, x: Array, place: Place) -> Array:
    return nn.Conv(
        layer.out_features,
        (layer.kernel_size,),
        strides=layer.stride,
        padding=layer.padding,
        feature_group_count=layer.groups,
        use_bias=layer.bias,
        name=place.path,
    )(x)


@lower.register
def _(layer: spec.Conv2d, x: Array, place: Place) -> Array:
    return nn.Conv(
        layer.out_channels,
        spec.pair(layer.kernel_size),
        strides=layer.stride,
        padding=spec.pair(layer.padding),
        feature_group_count=layer.groups,
        use_bias=layer.bias,
        name=place.path,
    )(x)


@lower.register
def _(layer: spec.BatchNorm, x: Array, place: Place) -> Array:
    if not layer.scale:
        raise NotSupported("the flax peers have batch norm with its scale only")
    return nn.BatchNorm(
        use_running_average=not place.train,
        momentum=1 - layer.momentum,
        epsilon=layer.epsilon,
        name=place.path,
    )(x)


@lower.register
def _(layer: spec.MaxPool, x: Array, place: Place) -> Array:
    return nn.max_pool(x, *_window(layer))


@lower.register
def _(layer: spec.AvgPool, x: Array, place: Place) -> Array:
    return nn.avg_pool(x, *_window(layer), count_include_pad=layer.count_padding)


def _window(layer: spec.MaxPool | spec.AvgPool) -> tuple[Any, ...]:
    sides = (layer.padding, layer.padding)
    return (layer.size, layer.size), (layer.stride, layer.stride), (sides, sides)


@lower.register
def _(layer: spec.ReLU, x: Array, place: Place) -> Array:
    return nn.relu(x)


@lower.register
def _(layer: spec.GELU, x: Array, place: Place) -> Array:
    return nn.gelu(x, approximate=layer.approximate)


@lower.register
def _(layer: spec.Flatten, x: Array, place: Place) -> Array:
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)  # the order of the next layer's weights


@lower.register
def _(layer: spec.Linear, x: Array, place: Place) -> Array:
    if place.path in place.tied:
        return place.tables[place.tied[place.path]].attend(x)
    return nn.Dense(layer.out_features, use_bias=layer.bias, name=place.path)(x)


@lower.register
def _(layer: spec.Embedding, x: Array, place: Place) -> Array:
    if place.path in place.tied:
        table = place.tables[place.tied[place.path]]
    else:
        table = nn.Embed(layer.vocabulary, layer.width, name=place.path)
        place.tables[place.path] = table
    y = table(x)
    return y if layer.scale == 1 else y * layer.scale


@lower.register
def _(layer: spec.PositionalEncoding, x: Array, place: Place) -> Array:
    return x + jnp.asarray(layer.table(x.shape[1]), x.dtype)


@lower.register
def _(layer: spec.PositionalEmbedding, x: Array, place: Place) -> Array:
    return Positions(name=place.path)(x)


@lower.register
def _(layer: spec.LayerNorm, x: Array, place: Place) -> Array:
    return nn.LayerNorm(epsilon=layer.epsilon, name=place.path)(x)


@lower.register
def _(layer: spec.Attention, x: Any, place: Place) -> Array:
    first, memory = x if isinstance(x, tuple) else (x, x)
    valid = place.memory_valid if isinstance(x, tuple) else place.valid
    mask = nn.make_causal_mask(first[..., 0]) if layer.causal else None
    if valid is not None:
        mask = nn.combine_masks(mask, valid[:, None, None])
    return nn.MultiHeadDotProductAttention(layer.heads, name=place.path)(first, memory, mask=mask)


@lower.register
def _(layer: spec.LSTM, x: Array, place: Place) -> Array:
    return _stacked(nn.OptimizedLSTMCell, layer, x, place)


@lower.register
def _(layer: spec.GRU, x: Array, place: Place) -> Array:
    return _stacked(nn.GRUCell, layer, x, place)


def _stacked(kind: type[nn.RNNCellBase], layer: spec.Recurrent, x: Array, place: Place) -> Array:
    for level in layer.levels():
        ways = [
            nn.RNN(kind(layer.hidden_size, param_dtype=place.dtype, name=f"{place.path}_{end}"))
            for end in level
        ]
        x = (nn.Bidirectional(*ways) if layer.bidirectional else ways[0])(x)
    return x


@lower.register
def _(layer: spec.LastStep, x: Array, place: Place) -> Array:
    return x[:, -1]


@lower.register
def _(layer: spec.MeanSteps, x: Array, place: Place) -> Array:
    return x.mean(axis=1)
