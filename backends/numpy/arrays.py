"""Canonical arrays are NumPy's own, so nothing changes shape here; copies keep owners apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.spec import Layer


def to_native(layer: Layer, name: str, array: NDArray[Any]) -> NDArray[np.float64]:
    """A parameter of the layer, or an array of its shape such as a moment, as a float64 copy."""
    return np.array(array, dtype=np.float64)


def to_canonical(layer: Layer, name: str, array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of ``to_native``."""
    return array.copy()


def activation_to_native(array: NDArray[Any]) -> NDArray[Any]:
    """A layer's input, output or a gradient of these: real values as float64, token ids as they
    are; images are (batch, channels, height, width) already.
    """
    return array if np.issubdtype(array.dtype, np.integer) else array.astype(np.float64)


def activation_to_canonical(array: NDArray[Any]) -> NDArray[Any]:
    """The inverse of ``activation_to_native``."""
    return array
