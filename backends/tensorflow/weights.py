"""Checkpoints of Keras in HDF5: of whole models, of weights, in Keras 3's layout and the older one.
They are read without Keras: no configuration of a layer is looked at, and no code of it is run.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from backends.weights import Room

INSIDE = "model.weights.h5"  # of a .keras file
ROLES = {  # of a layer's arrays in their order, by how many there are
    1: ("kernel",),
    2: ("kernel", "bias"),
    3: ("beta", "moving_mean", "moving_variance"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}
COUNTED = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?")
MOST_LAYERS, DEEPEST = 10_000, 16
LEAST_OF_A_GROUP = 64  # bytes

Arrays = dict[str, NDArray[Any]]
Layers = Iterator[tuple[str, list[NDArray[Any]]]]


def read(path: str) -> Arrays:
    """Every array as LAYER/ROLE; layers that Keras named by itself are counted from 0. ValueError
    for what is no such file, and whatever h5py raises.
    """
    room = Room.of(path)
    with h5py.File(_opened(path, room), "r") as file:
        if "model_weights" in file and not _texts(file, "layer_names"):
            file = _inner(file, "model_weights")
        older = bool(_texts(file, "layer_names"))
        layers = dict[str, list[NDArray[Any]]]()
        for layer, arrays in (_older if older else _newer)(file, room):
            if layer in layers:
                raise ValueError(f"two layers have the name {layer!r}")
            layers[layer] = arrays
    counted = _counted(layers)
    return {
        f"{counted.get(layer, layer)}/{role}": array
        for layer, arrays in layers.items()
        for role, array in zip(ROLES[len(arrays)], arrays, strict=True)
    }


def write(path: str, arrays: Arrays) -> None:
    """In the older layout, which ``load_weights(..., by_name=True)`` of every Keras reads. Layers
    that are counted get the names of a process's first model, of which the first has no number.
    """
    layers: dict[str, Arrays] = {}
    for name, array in arrays.items():
        layer, _, role = name.rpartition("/")
        if COUNTED.fullmatch(layer):
            layer = layer.removesuffix("_0")
        layers.setdefault(layer, {})[role] = array
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, own in layers.items():
            group = file.create_group(layer)
            roles = [role for role in ROLES[len(own)] if role in own]
            group.attrs["weight_names"] = [f"{layer}/{role}".encode() for role in roles]
            for role in roles:
                group.create_dataset(f"{layer}/{role}", data=own[role])


def _opened(path: str, room: Room) -> Any:
    """What h5py opens: the file, or that of weights in the archive that it is."""
    if not zipfile.is_zipfile(path):
        return path
    with zipfile.ZipFile(path) as archive:
        if INSIDE not in archive.namelist():
            raise ValueError(f"it is an archive without {INSIDE}")
        room.take(INSIDE, archive.getinfo(INSIDE).file_size)
        return io.BytesIO(archive.read(INSIDE))


def _older(file: Any, room: Room) -> Layers:
    """By the names that each group lists."""
    for layer in _texts(file, "layer_names"):
        group = _inner(file, layer)
        names = _texts(group, "weight_names")
        if names:
            yield layer, _listed(layer, [_array(_inner(group, n), n, room) for n in names])


def _newer(group: Any, room: Room, deeper: int = DEEPEST) -> Layers:
    """By the name that each layer's group of arrays has; the optimizer is left out."""
    for key in group:
        if key == "optimizer" or not deeper:
            continue
        inner = _inner(group, key)
        room.take(key, LEAST_OF_A_GROUP)  # one that holds itself many times has an end
        if key == "vars" and len(inner):
            if "name" not in inner.attrs:
                raise ValueError("its layers have no names: save the model with a newer Keras 3")
            name = str(inner.attrs["name"])
            arrays = [_array(_inner(inner, str(n)), name, room) for n in range(len(inner))]
            yield name, _listed(name, arrays)
        elif isinstance(inner, h5py.Group) and key != "vars":
            yield from _newer(inner, room, deeper - 1)


def _listed(layer: str, arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    if len(arrays) not in ROLES:
        raise ValueError(f"the layer {layer!r} has {len(arrays)} arrays; 1 to 4 are known")
    return arrays


def _inner(group: Any, name: str) -> Any:
    """What lies there, and in this very file: no link to another one is followed."""
    for part in name.split("/"):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name!r} is missing, or a link")
        group = group[part]
    return group


def _array(found: Any, name: str, room: Room) -> NDArray[Any]:
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise ValueError(f"{name!r} is no array of this file")
    room.take(name, found.size * found.dtype.itemsize)
    array = np.array(found)
    if str(found.attrs.get("dtype")) == "bfloat16":  # Keras keeps its two bytes as they are
        return (array.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32)
    return array


def _texts(group: Any, name: str) -> list[str]:
    """A list of texts; a long one stands in parts, NAME0 and so on."""
    keys = [name] if name in group.attrs else []
    keys = keys or sorted(
        (key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)),
        key=lambda key: int(key.removeprefix(name)),
    )
    found = [each for key in keys for each in np.atleast_1d(group.attrs[key])]
    if len(found) > MOST_LAYERS:
        raise ValueError(f"it lists more than {MOST_LAYERS} names")
    return [each.decode() if isinstance(each, bytes) else str(each) for each in found]


def _counted(layers: dict[str, Any]) -> dict[str, str]:
    """Layers that Keras counted, from 0 on: another model may have been made before."""
    kinds: dict[str, list[tuple[int, str]]] = {}
    for layer in layers:
        if found := COUNTED.fullmatch(layer):
            kinds.setdefault(found[1], []).append((int(found[2] or 0), layer))
    return {
        layer: f"{kind}_{number}"
        for kind, every in kinds.items()
        for number, (_, layer) in enumerate(sorted(every))
    }
