"""Specs to Flax modules. Images are channels-last."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from backends.base import NotSupported
from tasks import spec

OUTPUT = " output"  # what is sown must not have a module's name


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands; its modules' names begin with the path."""

    path: str
    train: bool
    dtype: jnp.dtype


@singledispatch
def lower(layer: spec.Layer, x: Array, place: Place) -> Array:
    """What the layer makes of x, inside of a compact module."""
    raise NotSupported(f"flax has no layer {type(layer).__name__}")


class Model(nn.Module):
    """The whole; it sows every layer's output, by path."""

    model: spec.ModelSpec

    @nn.compact
    def __call__(self, x: Array, train: bool, dtype: jnp.dtype) -> Array:
        def apply(path: str, layer: spec.Layer, value: Array) -> Array:
            return lower(layer, value, Place(path=path, train=train, dtype=dtype))

        def observe(path: str, value: Array) -> None:
            self.sow("intermediates", f"{path}{OUTPUT}", value)

        return spec.walk(self.model.layers, x, apply, observe)


class Positions(nn.Module):
    """Adds a trained table."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x + self.param("embedding", nn.initializers.normal(), x.shape[1:])


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
    return nn.Dense(layer.out_features, use_bias=layer.bias, name=place.path)(x)


@lower.register
def _(layer: spec.Embedding, x: Array, place: Place) -> Array:
    return nn.Embed(layer.vocabulary, layer.width, name=place.path)(x)


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
def _(layer: spec.Attention, x: Array, place: Place) -> Array:
    mask = nn.make_causal_mask(x[..., 0]) if layer.causal else None
    return nn.MultiHeadDotProductAttention(layer.heads, name=place.path)(x, mask=mask)


@lower.register
def _(layer: spec.LSTM, x: Array, place: Place) -> Array:
    return _stacked(nn.OptimizedLSTMCell, layer, x, place)


@lower.register
def _(layer: spec.GRU, x: Array, place: Place) -> Array:
    return _stacked(nn.GRUCell, layer, x, place)


def _stacked(kind: type[nn.RNNCellBase], layer: spec.Recurrent, x: Array, place: Place) -> Array:
    for level in range(layer.num_layers):
        name = f"{place.path}_l{level}"
        x = nn.RNN(kind(layer.hidden_size, param_dtype=place.dtype, name=name))(x)
    return x


@lower.register
def _(layer: spec.LastStep, x: Array, place: Place) -> Array:
    return x[:, -1]


@lower.register
def _(layer: spec.MeanSteps, x: Array, place: Place) -> Array:
    return x.mean(axis=1)
