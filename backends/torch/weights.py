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
    found = torch.load(path, map_location="cpu", weights_only=True)
    return dict(_arrays("", found, Room.of(path), DEEPEST))


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
        for key, each in value.items():
            yield from _arrays(f"{name}.{key}" if name else str(key), each, room, deeper - 1)
