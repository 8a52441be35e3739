"""Checkpoints that PyTorch pickles, through its loader for weights only, which calls nothing that a
pickle names but what makes tensors.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from backends.weights import Room

DEEPEST = 8  # of dictionaries in dictionaries


def read(path: str) -> dict[str, NDArray[Any]]:
    """Every tensor by its name, that of dictionaries before it, with dots between; bfloat16 as
    float32, which holds all its values. ValueError and whatever torch.load raises.
    """
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    found: dict[str, NDArray[Any]] = {}
    for name, array in _arrays("", loaded, Room.of(path), DEEPEST):
        if name in found:
            raise ValueError(f"two arrays have the name {name!r}")
        found[name] = array
    return found


def write(path: str, arrays: dict[str, NDArray[Any]]) -> None:
    """A state dictionary."""
    torch.save({name: torch.tensor(array) for name, array in arrays.items()}, path)


def _arrays(name: str, value: Any, room: Room, deeper: int) -> Iterator[tuple[str, NDArray[Any]]]:
    if isinstance(value, torch.Tensor):
        room.take(name, value.numel() * value.element_size())  # of a view the whole
        if value.dtype == torch.bfloat16:
            room.take(name, value.numel() * value.element_size())
            value = value.float()
        yield name, np.array(value.detach().numpy())
    elif isinstance(value, dict) and deeper:
        room.take(name, len(value))  # one that holds itself many times has an end
        for key, each in value.items():
            yield from _arrays(f"{name}.{key}" if name else str(key), each, room, deeper - 1)
