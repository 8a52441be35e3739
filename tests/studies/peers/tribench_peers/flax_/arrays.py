"""A layer's canonical arrays to its Flax modules' trees, {what the module's name ends with: tree}.

Shapes are Keras's. A stack of recurrent layers is one module after the other. What Flax has one
bias for, all of an LSTM and two gates of a GRU, is treated as in Keras's LSTM.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from tasks import spec
from tribench_peers.keras_ import arrays as keras_

Arrays = dict[str, np.ndarray]
Trees = dict[str, dict[str, Any]]

NAMES: dict[type[spec.Layer], tuple[str, ...]] = {
    spec.Conv1d: ("kernel", "bias"),
    spec.Conv2d: ("kernel", "bias"),
    spec.Linear: ("kernel", "bias"),
    spec.BatchNorm: ("scale", "bias"),
    spec.LayerNorm: ("scale", "bias"),
    spec.Embedding: ("embedding",),
    spec.PositionalEmbedding: ("embedding",),
}
PROJECTIONS = ("query", "key", "value", "out")
GATES = {spec.LSTM: "ifgo", spec.GRU: "rzn"}


@singledispatch
def to_native(layer: spec.Layer, given: Arrays, gradient: bool) -> Trees:
    weights = keras_.to_native(layer, given, gradient)
    return {"": dict(zip(NAMES[type(layer)], weights, strict=False))}


@singledispatch
def to_canonical(layer: spec.Layer, found: Trees, gradient: bool) -> Arrays:
    """The inverse of ``to_native``."""
    names = NAMES[type(layer)][: len(found[""])]
    return keras_.to_canonical(layer, [found[""][name] for name in names], gradient)


@to_native.register
def _(layer: spec.Attention, given: Arrays, gradient: bool) -> Trees:
    weights = keras_.to_native(layer, given, gradient)
    pairs = zip(PROJECTIONS, weights[::2], weights[1::2], strict=True)
    return {"": {name: {"kernel": kernel, "bias": bias} for name, kernel, bias in pairs}}


@to_canonical.register
def _(layer: spec.Attention, found: Trees, gradient: bool) -> Arrays:
    weights = [found[""][name][part] for name in PROJECTIONS for part in ("kernel", "bias")]
    return keras_.to_canonical(layer, weights, gradient)


@to_native.register
def _(layer: spec.Recurrent, given: Arrays, gradient: bool) -> Trees:
    trees = {}
    for end in ends(layer):
        tree = trees[end] = {}
        for side in ("i", "h"):
            kernels, biases = (
                np.split(given[f"{what}_{side}h{end}"], layer.gates) for what in ("weight", "bias")
            )
            for gate, kernel, bias in zip(GATES[type(layer)], kernels, biases, strict=True):
                tree[side + gate] = {"kernel": kernel.T, "bias": bias}
        for lost, kept in _merged(layer):
            bias = tree[lost].pop("bias")
            if not gradient:
                tree[kept]["bias"] = tree[kept]["bias"] + bias
    return trees


@to_canonical.register
def _(layer: spec.Recurrent, found: Trees, gradient: bool) -> Arrays:
    arrays = {}
    for end in ends(layer):
        tree = {name: dict(dense) for name, dense in found[end].items()}
        for lost, kept in _merged(layer):
            bias = tree[kept]["bias"]
            tree[lost]["bias"] = bias if gradient else np.zeros_like(bias)
        for side in ("i", "h"):
            dense = [tree[side + gate] for gate in GATES[type(layer)]]
            arrays[f"weight_{side}h{end}"] = np.concatenate([one["kernel"].T for one in dense])
            arrays[f"bias_{side}h{end}"] = np.concatenate([one["bias"] for one in dense])
    return arrays


def ends(layer: spec.Layer) -> list[str]:
    """What the names of the layer's modules end with."""
    if isinstance(layer, spec.Recurrent):
        return [f"_{end}" for level in layer.levels() for end in level]
    return [""]


def _merged(layer: spec.Recurrent) -> list[tuple[str, str]]:
    """Pairs of projections of which Flax gives only the second a bias."""
    if isinstance(layer, spec.LSTM):
        return [(f"i{gate}", f"h{gate}") for gate in "ifgo"]
    return [(f"h{gate}", f"i{gate}") for gate in "rz"]
