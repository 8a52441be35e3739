"""Canonical arrays to PyTorch's and back. The canonical shapes are PyTorch's own."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tasks.spec import Layer


def to_native(layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The parameter as this adapter's lowerings take it."""
    return array


def to_canonical(layer: Layer, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The inverse of ``to_native``, also for gradients and updates."""
    return array


def activation_to_native(array: NDArray[Any]) -> NDArray[Any]:
    """A batch of layer inputs; images stay (batch, channels, height, width)."""
    return array


def activation_to_canonical(array: NDArray[Any]) -> NDArray[Any]:
    """The inverse of ``activation_to_native``."""
    return array
