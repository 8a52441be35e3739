"""Canonical arrays to JAX's and back: images are (batch, height, width, channels) here, and
convolutions' weights (height, width, in, out) or (steps, in, out), the layouts that XLA is fastest
with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.spec import Layer

_ORDERS = {3: (2, 1, 0), 4: (2, 3, 1, 0)}  # of a convolution's weight, by how many axes it has


def to_native(layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The parameter as this adapter's lowerings take it."""
    order = _ORDERS.get(array.ndim)
    return array if order is None else array.transpose(order)


def to_canonical(layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The inverse of ``to_native``, also for gradients and updates."""
    order = _ORDERS.get(array.ndim)
    return array if order is None else array.transpose(np.argsort(order))


def activation_to_native(array: NDArray[Any]) -> NDArray[Any]:
    """A batch of layer inputs; images become (batch, height, width, channels)."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def activation_to_canonical(array: NDArray[Any]) -> NDArray[Any]:
    """The inverse of ``activation_to_native``."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
