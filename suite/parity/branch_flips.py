"""Kinks: where rounding may decide otherwise, and gradients then differ without being wrong.

A ReLU whose input is within rounding of 0, or a pooling window with a tie within rounding, passes
the gradient elsewhere. In cnn-small one such ReLU makes 5.5e-4 of a gradient. What lies behind the
last of them, as the gradient flows, cannot be judged by rounding.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from suite.engine.remote import Arrays
from suite.parity.compare import Errors
from suite.parity.findings import Findings
from tasks import spec
from tasks.spec import Layer, ModelSpec, walk


def without_flips(
    errors: Errors, model: ModelSpec, found: Findings, wanted: Findings
) -> tuple[Errors, str | None]:
    """The errors that no flip reaches, and the last layer that has one."""
    flip = _last_flip(model, found.capture, wanted.capture)
    if flip is None:
        return errors, None
    places = model.places()
    before = places[: [place.path for place in places].index(flip)]
    reached = {f"gradients/{p.path}.{name}" for p in before for name in p.layer.parameters()}
    return {key: error for key, error in errors.items() if key not in reached}, flip


def _last_flip(model: ModelSpec, found: Arrays, wanted: Arrays) -> str | None:
    layers, last = {place.path: place.layer for place in model.places()}, None
    for path, source in sources(model).items():
        key = f"activations/{source}"
        if key in wanted and key in found and found[key].shape == wanted[key].shape:
            mine, right = (branches(layers[path], of[key]) for of in (found, wanted))
            if not np.array_equal(mine, right):
                last = path
    return last


def sources(model: ModelSpec) -> dict[str, str]:
    """Of each plain layer, the path of what it is given; "" is the batch."""
    given: dict[str, _Value] = {}

    def apply(path: str, layer: Layer, value: _Value) -> _Value:
        given[path] = value
        return _Value()

    def observe(path: str, value: _Value) -> None:
        value.path = path

    walk(model.layers, _Value(), apply, observe)
    return {path: value.path for path, value in given.items()}


class _Value:
    """Stands for an array while the layers are walked."""

    path = ""

    def __add__(self, other: _Value) -> _Value:
        return _Value()


@singledispatch
def branches(layer: Layer, x: NDArray[Any]) -> NDArray[Any]:
    """Which way each gradient goes; empty where there is only one."""
    return np.empty(0)


@branches.register
def _of_relu(layer: spec.ReLU, x: NDArray[Any]) -> NDArray[Any]:
    return x > 0


@branches.register
def _of_max_pool(layer: spec.MaxPool, x: NDArray[Any]) -> NDArray[Any]:
    windows = sliding_window_view(x, (layer.size, layer.size), axis=(2, 3))
    windows = windows[:, :, :: layer.stride, :: layer.stride]
    first: NDArray[Any] = windows.reshape(*windows.shape[:4], layer.size**2).argmax(axis=-1)
    return first
