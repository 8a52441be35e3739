"""A layer's canonical arrays to its module's, {name in the module: array}. The canonical shapes are
PyTorch's own; only nn.MultiheadAttention has its projections in one.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from tasks import spec

Arrays = dict[str, np.ndarray]


@singledispatch
def to_native(layer: spec.Layer, given: Arrays, gradient: bool) -> Arrays:
    return given


@to_native.register
def _(layer: spec.Attention, given: Arrays, gradient: bool) -> Arrays:
    # A keys' bias that ours has not, as softmax cancels it: 0, its gradient 0 but for rounding.
    given = {"key.bias": np.zeros(layer.width)} | given
    biases = given["query.bias"], given["key.bias"], given["value.bias"]
    return {
        "in_proj_weight": np.concatenate([given[f"{n}.weight"] for n in ("query", "key", "value")]),
        "in_proj_bias": np.concatenate(biases),
        "out_proj.weight": given["output.weight"],
        "out_proj.bias": given["output.bias"],
    }


@singledispatch
def to_canonical(layer: spec.Layer, found: Arrays, gradient: bool) -> Arrays:
    """The inverse of ``to_native``."""
    return found


@to_canonical.register
def _(layer: spec.Attention, found: Arrays, gradient: bool) -> Arrays:
    weights, biases = np.split(found["in_proj_weight"], 3), np.split(found["in_proj_bias"], 3)
    every = {
        "query.weight": weights[0],
        "query.bias": biases[0],
        "key.weight": weights[1],
        "key.bias": biases[1],
        "value.weight": weights[2],
        "value.bias": biases[2],
        "output.weight": found["out_proj.weight"],
        "output.bias": found["out_proj.bias"],
    }
    return {name: every[name] for name in layer.parameters()}
