"""What libraries call the parameters and buffers of these models: tables, and the way there and
back. Pure; arrays are NumPy's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.spec import ModelSpec

Arrays = Mapping[str, NDArray[Any]]
PROJECTIONS = ("query", "key", "value")
NONE: tuple[str, ...] = ()


class NamesError(ValueError):
    """Arrays that are not the model's; the message names them."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """``rules`` rewrite a path of ours into a name of theirs: regular expressions and what takes
    their place, applied one after the other wherever they match. Patterns of their names say the
    rest: what is ``joined`` holds query, key and value one after the other along the first axis;
    what is ``transposed`` stands as (in, out); what is ``lifted`` has so many axes of length 1
    before ours; what is ``ignored`` is a second name of an array, or no part of the function.
    """

    rules: tuple[tuple[str, str], ...] = ()
    joined: tuple[str, ...] = NONE
    transposed: tuple[str, ...] = NONE
    lifted: Mapping[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = NONE

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(pattern), instead) for pattern, instead in self.rules]

    def theirs(self, path: str) -> str:
        """The name of the array that a path of ours is, or is a part of."""
        for pattern, instead in self._compiled:
            path = pattern.sub(instead, path)
        return path


def to_theirs(names: Names, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Parameters and buffers by path of ours, as the library holds them."""
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for path, array in arrays.items():
        parts.setdefault(names.theirs(path), {})[path] = array
    found = {}
    for name, own in parts.items():
        array = np.concatenate([own[path] for path in sorted(own, key=_turn)])
        if _matches(names.transposed, name):
            array = array.T
        found[name] = array.reshape((1,) * _lifted(names, name) + array.shape)
    return found


def to_ours(names: Names, model: ModelSpec, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The inverse: the model's parameters and buffers by path. NamesError where an array is
    missing, has another shape, or is left over.
    """
    shapes = {path: each.shape for path, each in (model.parameters() | model.buffers()).items()}
    missing = {path: name for path in shapes if (name := names.theirs(path)) not in arrays}
    if missing:
        path = next(iter(missing))
        others = f", and {len(missing) - 1} more" if missing.keys() - {path} else ""
        raise NamesError(f"{missing[path]}, which is {path} of {model.name}, is missing{others}")
    used = {names.theirs(path) for path in shapes}
    left = [name for name in arrays if name not in used and not _matches(names.ignored, name)]
    if left:
        others = f", and {len(left) - 1} more" if left[1:] else ""
        raise NamesError(f"{left[0]} is nothing that {model.name} has{others}")
    return {path: _own(names, path, shape, arrays) for path, shape in shapes.items()}


def _own(names: Names, path: str, shape: tuple[int, ...], arrays: Arrays) -> NDArray[Any]:
    name = names.theirs(path)
    whole = arrays[name]
    array = whole.reshape(whole.shape[_lifted(names, name) :]) if 1 in whole.shape[:1] else whole
    if _matches(names.transposed, name):
        array = array.T
    if _matches(names.joined, name) and len(array) % len(PROJECTIONS) == 0:
        array = np.split(array, len(PROJECTIONS))[_turn(path)]
    if array.shape != shape:
        raise NamesError(f"{name} has the shape {whole.shape}; {path} is of {shape}")
    return array


def _turn(path: str) -> int:
    """The place of a projection among those that are joined."""
    word = path.split(".")[-2:-1]
    return PROJECTIONS.index(word[0]) if word and word[0] in PROJECTIONS else 0


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _lifted(names: Names, name: str) -> int:
    return next((axes for end, axes in names.lifted.items() if name.endswith(end)), 0)
