"""Specs to Keras layers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial, singledispatch
from typing import Any

import keras
import numpy as np
from keras import layers

from backends.base import Context, NotSupported, walk_masked
from tasks import spec
from tribench_peers import base

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


class Table(layers.Embedding):
    """KerasHub's ReversibleEmbedding: with ``reverse`` the head that its table is the weight of.
    Its rows are scaled by a number.
    """

    def __init__(self, vocabulary: int, width: int, scale: float) -> None:
        super().__init__(vocabulary, width)
        self.scale = scale

    def call(self, x: Tensor, reverse: bool = False) -> Tensor:
        if not reverse:
            return super().call(x) if self.scale == 1 else super().call(x) * self.scale
        table = keras.ops.convert_to_tensor(self.embeddings)
        return keras.ops.matmul(x, keras.ops.transpose(table))

    def compute_output_spec(self, x: Tensor, reverse: bool = False) -> Tensor:
        if not reverse:
            return super().compute_output_spec(x)
        return keras.KerasTensor((*x.shape[:-1], self.input_dim), self.compute_dtype)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a layer stands. ``made`` gets the Keras layers with its parameters; ``last`` tells that
    only the last step of a sequence is used. ``tied`` has the paths of the tables that stand for a
    layer's weights.
    """

    path: str
    made: dict[str, list[layers.Layer]] = field(default_factory=dict)
    last: bool = False
    valid: Tensor | None = None
    memory_valid: Tensor | None = None
    tied: dict[str, str] = field(default_factory=dict)

    def table(self) -> Table | None:
        """The table that the layer's weight is tied to, if it is."""
        return self.made[self.tied[self.path]][0] if self.path in self.tied else None

    def keep(self, layer: layers.Layer) -> layers.Layer:
        """The layer, noted as this place's."""
        self.made.setdefault(self.path, []).append(layer)
        return layer


@singledispatch
def lower(layer: spec.Layer, x: Tensor, place: Place) -> Tensor:
    """What the layer makes of a symbolic tensor."""
    raise NotSupported(f"Keras has no layer {type(layer).__name__}")


@lower.register
def _(layer: spec.Add, x: tuple[Tensor, ...], place: Place) -> Tensor:
    return layers.Add()(list(x))


@lower.register
def _(layer: spec.Conv1d, x: Tensor, place: Place) -> Tensor:
    same = layer.stride == 1 and 2 * layer.padding == layer.kernel_size - 1
    if layer.padding and not same:
        x = layers.ZeroPadding1D(layer.padding, "channels_last")(x)
    convolution = layers.Conv1D(
        layer.out_features,
        layer.kernel_size,
        strides=layer.stride,
        padding="same" if same else "valid",
        data_format="channels_last",
        groups=layer.groups,
        use_bias=layer.bias,
    )
    return place.keep(convolution)(x)


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
    if keras.config.floatx() == "float64":  # tf.nn.gelu holds its constants in float32
        return layers.Activation(_tanh_gelu if layer.approximate else _gelu)(x)
    return layers.Activation(partial(keras.activations.gelu, approximate=layer.approximate))(x)


def _gelu(x: Tensor) -> Tensor:
    return x * (1 + keras.ops.erf(x / np.sqrt(2))) / 2


def _tanh_gelu(x: Tensor) -> Tensor:
    root, cubic = np.float64(np.sqrt(2 / np.pi)), np.float64(0.044715)
    inner = root * (x + cubic * x**3)
    return x * (1 + keras.ops.tanh(inner)) / 2


@lower.register
def _(layer: spec.Flatten, x: Tensor, place: Place) -> Tensor:
    if keras.config.image_data_format() == "channels_last" and x.shape[1:3] != (1, 1):
        x = layers.Permute((3, 1, 2))(x)  # to the order that the next layer's weights have
    return layers.Reshape((-1,))(x)


@lower.register
def _(layer: spec.Linear, x: Tensor, place: Place) -> Tensor:
    if (table := place.table()) is not None:
        return table(x, reverse=True)
    return place.keep(layers.Dense(layer.out_features, use_bias=layer.bias))(x)


@lower.register
def _(layer: spec.Embedding, x: Tensor, place: Place) -> Tensor:
    table = place.table() or place.keep(Table(layer.vocabulary, layer.width, layer.scale))
    return table(x)


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
def _(layer: spec.Attention, x: Any, place: Place) -> Tensor:
    first, memory = x if isinstance(x, tuple) else (x, x)
    valid = place.memory_valid if isinstance(x, tuple) else place.valid
    given = {"use_causal_mask": layer.causal}
    if valid is not None:
        given["attention_mask"] = valid[:, None]
    attention = place.keep(layers.MultiHeadAttention(layer.heads, layer.width // layer.heads))
    if keras.config.floatx() == "float64":
        # jax.nn.dot_product_attention takes its softmax in float32 whatever it is given; whoever
        # asks for the scores gets the matrix products. TensorFlow makes float32 of a Python float:
        # 3e-9 of gpt-tiny's logits. float64 is for parity and never timed.
        attention._inverse_sqrt_key_dim = np.float64(attention._inverse_sqrt_key_dim)
        return attention(first, memory, **given, return_attention_scores=True)[0]
    return attention(first, memory, **given)


@lower.register
def _(layer: spec.LSTM, x: Tensor, place: Place) -> Tensor:
    return _stacked(layers.LSTM, layer, x, place)


@lower.register
def _(layer: spec.GRU, x: Tensor, place: Place) -> Tensor:
    return _stacked(layers.GRU, layer, x, place)


def _stacked(kind: type[layers.RNN], layer: spec.Recurrent, x: Tensor, place: Place) -> Tensor:
    for level in range(layer.num_layers):
        below = level < layer.num_layers - 1
        last = place.last and not layer.bidirectional
        made = kind(layer.hidden_size, return_sequences=below or not last)
        made = layers.Bidirectional(made) if layer.bidirectional else made
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
    Keras layers by path. Inputs that have names have a mask each, NAME_valid.
    """
    places, shown, start = given.places(), {}, Place(path="", tied=base.tied(given))
    following = dict(zip((p.path for p in places), (p.layer for p in places[1:]), strict=False))

    def apply(path: str, layer: spec.Layer, x: Tensor) -> Tensor:
        last = isinstance(following.get(path), spec.LastStep)
        masks = {"valid": context.valid, "memory_valid": context.memory_valid}
        return lower(layer, x, replace(start, path=path, last=last, **masks))

    inputs = {name: _input(name, each) for name, each in given.every_input.items()}
    valid = {
        name: keras.Input(each.shape[:1], dtype="bool", name=f"{name}_valid")
        for name, each in given.inputs.items()
    }
    context = Context(path="", training=True, valid=valid or None)
    x = inputs if given.input is None else inputs[""]
    y = walk_masked(given, x, context, apply, shown.__setitem__)
    if valid:
        x = inputs | {f"{name}_valid": mask for name, mask in valid.items()}
    return keras.Model(x, y), keras.Model(x, shown), start.made


def _input(name: str, given: spec.Input) -> Tensor:
    shape = given.shape
    if len(shape) == 3 and keras.config.image_data_format() == "channels_last":
        shape = (*shape[1:], shape[0])
    dtype = None if given.vocabulary is None else "int32"
    return keras.Input(shape, dtype=dtype, name=name or None)
