"""A layer's canonical arrays to its Keras layers' weights, in the order that Keras has them.

Kernels are (in, out), in convolutions (height, width, in, out). A stack of recurrent layers is one
Keras layer after the other. Keras's LSTM has one bias: the sum of the two, and its gradient is that
of either; on the way back it stands as the first, and the second is 0.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from tasks import spec

Arrays = dict[str, np.ndarray]
Weights = list[np.ndarray]

_GATES = (1, 0, 2)  # from r, z, n to Keras's z, r, h; the way back is the same


@singledispatch
def to_native(layer: spec.Layer, given: Arrays, gradient: bool) -> Weights:
    return list(given.values())


@singledispatch
def to_canonical(layer: spec.Layer, found: Weights, gradient: bool) -> Arrays:
    """The inverse of ``to_native``."""
    return dict(zip(layer.parameters(), found, strict=True))


@to_native.register
def _(layer: spec.Conv2d, given: Arrays, gradient: bool) -> Weights:
    return [given["weight"].transpose(2, 3, 1, 0), *([given["bias"]] if layer.bias else [])]


@to_canonical.register
def _(layer: spec.Conv2d, found: Weights, gradient: bool) -> Arrays:
    return dict(zip(layer.parameters(), [found[0].transpose(3, 2, 0, 1), *found[1:]], strict=True))


@to_native.register
def _(layer: spec.Conv1d, given: Arrays, gradient: bool) -> Weights:
    return [given["weight"].transpose(2, 1, 0), *([given["bias"]] if layer.bias else [])]


@to_canonical.register
def _(layer: spec.Conv1d, found: Weights, gradient: bool) -> Arrays:
    return dict(zip(layer.parameters(), [found[0].transpose(2, 1, 0), *found[1:]], strict=True))


@to_native.register
def _(layer: spec.Linear, given: Arrays, gradient: bool) -> Weights:
    return [given["weight"].T, *([given["bias"]] if layer.bias else [])]


@to_canonical.register
def _(layer: spec.Linear, found: Weights, gradient: bool) -> Arrays:
    return dict(zip(layer.parameters(), [found[0].T, *found[1:]], strict=True))


@to_native.register
def _(layer: spec.Attention, given: Arrays, gradient: bool) -> Weights:
    # A keys' bias that ours has not, as softmax cancels it: 0, its gradient 0 but for rounding.
    given = {"key.bias": np.zeros(layer.width)} | given
    heads, size = layer.heads, layer.width // layer.heads
    weights = []
    for name in ("query", "key", "value"):
        weights += [
            given[f"{name}.weight"].T.reshape(layer.width, heads, size),
            given[f"{name}.bias"].reshape(heads, size),
        ]
    output = given["output.weight"].T.reshape(heads, size, layer.width)
    return [*weights, output, given["output.bias"]]


@to_canonical.register
def _(layer: spec.Attention, found: Weights, gradient: bool) -> Arrays:
    flat = {}
    for name, kernel, bias in zip(
        ("query", "key", "value"), found[:6:2], found[1:6:2], strict=True
    ):
        flat[f"{name}.weight"] = kernel.reshape(layer.width, -1).T
        flat[f"{name}.bias"] = bias.reshape(-1)
    flat |= {"output.weight": found[6].reshape(-1, layer.width).T, "output.bias": found[7]}
    return {name: flat[name] for name in layer.parameters()}


@to_native.register
def _(layer: spec.LSTM, given: Arrays, gradient: bool) -> Weights:
    weights = []
    for end in _ends(layer):
        bias, held = given[f"bias_ih_{end}"], given[f"bias_hh_{end}"]
        weights += [given[f"weight_ih_{end}"].T, given[f"weight_hh_{end}"].T]
        weights += [bias if gradient else bias + held]
    return weights


@to_canonical.register
def _(layer: spec.LSTM, found: Weights, gradient: bool) -> Arrays:
    arrays = {}
    for number, end in enumerate(_ends(layer)):
        kernel, recurrent, bias = found[3 * number : 3 * number + 3]
        arrays |= {
            f"weight_ih_{end}": kernel.T,
            f"weight_hh_{end}": recurrent.T,
            f"bias_ih_{end}": bias,
            f"bias_hh_{end}": bias if gradient else np.zeros_like(bias),
        }
    return arrays


@to_native.register
def _(layer: spec.GRU, given: Arrays, gradient: bool) -> Weights:
    weights = []
    for end in _ends(layer):
        biases = given[f"bias_ih_{end}"], given[f"bias_hh_{end}"]
        weights += [_ordered(given[f"weight_{part}_{end}"]).T for part in ("ih", "hh")]
        weights += [np.stack([_ordered(bias) for bias in biases])]
    return weights


@to_canonical.register
def _(layer: spec.GRU, found: Weights, gradient: bool) -> Arrays:
    arrays = {}
    for number, end in enumerate(_ends(layer)):
        kernel, recurrent, biases = found[3 * number : 3 * number + 3]
        arrays |= {
            f"weight_ih_{end}": _ordered(kernel.T),
            f"weight_hh_{end}": _ordered(recurrent.T),
            f"bias_ih_{end}": _ordered(biases[0]),
            f"bias_hh_{end}": _ordered(biases[1]),
        }
    return arrays


def _ends(layer: spec.Recurrent) -> list[str]:
    """Of the names of parameters, in Keras's order."""
    return [end for level in layer.levels() for end in level]


def _ordered(rows: np.ndarray) -> np.ndarray:
    gates = np.split(rows, 3)
    return np.concatenate([gates[n] for n in _GATES])
