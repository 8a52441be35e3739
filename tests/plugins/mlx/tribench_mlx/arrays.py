"""Canonical arrays to MLX's and back: images are (batch, height, width, channels) here, and
convolutions' weights (out, height, width, in) or (out, steps, in).
"""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from tasks.spec import Layer


def to_native(layer: Layer, name: str, array: np.ndarray) -> np.ndarray:
    """The parameter as this adapter's lowerings take it."""
    if array.ndim == 3:
        return array.transpose(0, 2, 1)
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def to_canonical(layer: Layer, name: str, array: np.ndarray) -> np.ndarray:
    """The inverse of ``to_native``, also for gradients and updates."""
    if array.ndim == 3:
        return array.transpose(0, 2, 1)
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def activation_to_native(array: np.ndarray) -> np.ndarray:
    """A batch of layer inputs; images become (batch, height, width, channels)."""
    return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def activation_to_canonical(array: np.ndarray) -> np.ndarray:
    """The inverse of ``activation_to_native``."""
    return array.transpose(0, 3, 1, 2) if array.ndim == 4 else array


def scalar(value: float, like: mx.array) -> mx.array:
    """The number in the array's precision; MLX rounds those of Python to float32."""
    return mx.array(np.array(value, np.float64), like.dtype)
