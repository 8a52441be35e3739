"""Specs to Keras layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import Any

import keras
import numpy as np
from keras import layers

from backends.base import NotSupported
from tasks import spec

Tensor = Any  # symbolic
AXIS = {"channels_first": 1, "channels_last": -1}


class Positions(layers.Layer):
    """Adds a table, trained or, if it is given, fixed."""

    def __init__(self, table: Any = None) -> None:
        super().__init__()
        self.table = table

    def build(self, shape: tuple[int, ...]) -> None:
        if self.table is None:
            self.weight = self.add_weight(shape=shape[1:], name="embeddings")

    def call(self, x: Tensor) -> Tensor:
        if self.table is None:
            return x + self.weight
        return x + keras.ops.cast(self.table, x.dtype)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands. ``made`` gets the Keras layers with its parameters; ``last`` tells that
    only the last step of a sequence is used.
    """

    path: str
    made: dict[str, list[layers.Layer]] = field(default_factory=dict)
    last: bool = False

    def keep(self, layer: layers.Layer) -> layers.Layer:
        """The layer, noted as this place's."""
        self.made.setdefault(self.path, []).append(layer)
        return layer


@singledispatch
def lower(layer: spec.Layer, x: Tensor, place: Place) -> Tensor:
    """What the layer makes of a symbolic tensor."""
    raise NotSupported(f"Keras has no layer {type(layer).__name__}")


@lower.register
def _(layer: spec.Conv2d, x: Tensor, place: Place) -> Tensor:
    kernel, padding = spec.pair(layer.kernel_size), spec.pair(layer.padding)
    same = spec.pair(layer.stride) == (1, 1) and padding == (kernel[0] // 2, kernel[1] // 2)
    if any(padding) and not same:  # "same" pads strided convolutions on one side only
        x = layers.ZeroPadding2D(padding)(x)
    convolution = layers.Conv2D(
        layer.out_channels,
        layer.kernel_size,
        strides=layer.stride,
        padding="same" if any(padding) and same else "valid",
        groups=layer.groups,
        use_bias=layer.bias,
    )
    return place.keep(convolution)(x)


@lower.register
def _(layer: spec.BatchNorm, x: Tensor, place: Place) -> Tensor:
    if not layer.scale:
        raise NotSupported("the Keras peers have batch norm with its scale only")
    norm = layers.BatchNormalization(
        axis=AXIS[keras.config.image_data_format()],
        momentum=1 - layer.momentum,
        epsilon=layer.epsilon,
    )
    return place.keep(norm)(x)


@lower.register
def _(layer: spec.MaxPool, x: Tensor, place: Place) -> Tensor:
    _without_padding(layer)
    return layers.MaxPooling2D(layer.size, layer.stride)(x)


@lower.register
def _(layer: spec.AvgPool, x: Tensor, place: Place) -> Tensor:
    _without_padding(layer)
    return layers.AveragePooling2D(layer.size, layer.stride)(x)


def _without_padding(layer: spec.MaxPool | spec.AvgPool) -> None:
    if layer.padding:
        raise NotSupported("Keras pools without padding, or by 'same' on one side more")


@lower.register
def _(layer: spec.ReLU, x: Tensor, place: Place) -> Tensor:
    return layers.ReLU()(x)


@lower.register
def _(layer: spec.GELU, x: Tensor, place: Place) -> Tensor:
    if layer.approximate:
        raise NotSupported("the Keras peers have the exact GELU only")
    if keras.config.floatx() == "float64":  # tf.nn.gelu holds its sqrt(2) in float32
        return layers.Activation(lambda x: x * (1 + keras.ops.erf(x / np.sqrt(2))) / 2)(x)
    return layers.Activation("gelu")(x)


@lower.register
def _(layer: spec.Flatten, x: Tensor, place: Place) -> Tensor:
    if keras.config.image_data_format() == "channels_last" and x.shape[1:3] != (1, 1):
        x = layers.Permute((3, 1, 2))(x)  # to the order that the next layer's weights have
    return layers.Reshape((-1,))(x)


@lower.register
def _(layer: spec.Linear, x: Tensor, place: Place) -> Tensor:
    return place.keep(layers.Dense(layer.out_features, use_bias=layer.bias))(x)


@lower.register
def _(layer: spec.Embedding, x: Tensor, place: Place) -> Tensor:
    return place.keep(layers.Embedding(layer.vocabulary, layer.width))(x)


@lower.register
def _(layer: spec.PositionalEncoding, x: Tensor, place: Place) -> Tensor:
    return Positions(layer.table(x.shape[1]))(x)


@lower.register
def _(layer: spec.PositionalEmbedding, x: Tensor, place: Place) -> Tensor:
    return place.keep(Positions())(x)


@lower.register
def _(layer: spec.LayerNorm, x: Tensor, place: Place) -> Tensor:
    return place.keep(layers.LayerNormalization(epsilon=layer.epsilon))(x)


@lower.register
def _(layer: spec.Attention, x: Tensor, place: Place) -> Tensor:
    attention = place.keep(layers.MultiHeadAttention(layer.heads, layer.width // layer.heads))
    if keras.config.floatx() == "float64":
        # jax.nn.dot_product_attention takes its softmax in float32 whatever it is given; whoever
        # asks for the scores gets the matrix products. float64 is for parity and never timed.
        return attention(x, x, use_causal_mask=layer.causal, return_attention_scores=True)[0]
    return attention(x, x, use_causal_mask=layer.causal)


@lower.register
def _(layer: spec.LSTM, x: Tensor, place: Place) -> Tensor:
    return _stacked(layers.LSTM, layer, x, place)


@lower.register
def _(layer: spec.GRU, x: Tensor, place: Place) -> Tensor:
    return _stacked(layers.GRU, layer, x, place)


def _stacked(kind: type[layers.RNN], layer: spec.Recurrent, x: Tensor, place: Place) -> Tensor:
    for level in range(layer.num_layers):
        below = level < layer.num_layers - 1
        made = kind(layer.hidden_size, return_sequences=below or not place.last)
        x = place.keep(made)(x)
    return x


@lower.register
def _(layer: spec.LastStep, x: Tensor, place: Place) -> Tensor:
    return x if len(x.shape) == 2 else x[:, -1]


@lower.register
def _(layer: spec.MeanSteps, x: Tensor, place: Place) -> Tensor:
    return layers.GlobalAveragePooling1D(data_format="channels_last")(x)


def model(given: spec.ModelSpec) -> tuple[keras.Model, keras.Model, dict[str, list[layers.Layer]]]:
    """The model, another of the same layers that gives what each of them makes, by path, and the
    Keras layers by path.
    """
    places, shown, start = given.places(), {}, Place(path="")
    following = dict(zip((p.path for p in places), (p.layer for p in places[1:]), strict=False))

    def apply(path: str, layer: spec.Layer, x: Tensor) -> Tensor:
        last = isinstance(following.get(path), spec.LastStep)
        return lower(layer, x, replace(start, path=path, last=last))

    x = _input(given.input)
    y = spec.walk(given.layers, x, apply, shown.__setitem__)
    return keras.Model(x, y), keras.Model(x, shown), start.made


def _input(given: spec.Input) -> Tensor:
    shape = given.shape
    if len(shape) == 3 and keras.config.image_data_format() == "channels_last":
        shape = (*shape[1:], shape[0])
    return keras.Input(shape, dtype=None if given.vocabulary is None else "int32")
