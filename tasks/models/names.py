"""What libraries call the parameters and buffers of these models: tables, and the way there and
back. Pure; arrays are NumPy's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.spec import ModelSpec, Shape

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
    what is ``transposed`` stands as (in, out), a convolution's as (height, width, in, out); what is
    ``lifted`` has so many axes of length 1 before ours. Of paths of ours, what is ``flattened``,
    {path: path of the layer before it}, takes an image with its channels last. ``older`` rules
    rewrite names of older files. ``second`` names, {pattern: name}, hold the same array again; what
    is ``zero`` adds nothing; what is ``ignored`` is no part of the function.
    """

    rules: tuple[tuple[str, str], ...] = ()
    joined: tuple[str, ...] = NONE
    transposed: tuple[str, ...] = NONE
    flattened: Mapping[str, str] = field(default_factory=dict)
    lifted: Mapping[str, int] = field(default_factory=dict)
    older: tuple[tuple[str, str], ...] = ()
    second: Mapping[str, str] = field(default_factory=dict)
    zero: tuple[str, ...] = NONE
    ignored: tuple[str, ...] = NONE

    @cached_property
    def _compiled(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(pattern), instead) for pattern, instead in self.rules]

    def theirs(self, path: str) -> str:
        """The name of the array that a path of ours is, or is a part of."""
        for pattern, instead in self._compiled:
            path = pattern.sub(instead, path)
        return path

    def newer(self, name: str) -> str:
        """The name that an array of an older file has now."""
        for pattern, instead in self.older:
            name = re.sub(pattern, instead, name)
        return name


@dataclass(frozen=True, kw_only=True)
class Match:
    """What of a library's arrays is the model's: ``ours`` by path; names that are ``missing``, by
    path; of wrong shape, (name, its shape, the one wanted) by path; names that are left over; and
    second names that do not hold what they repeat.
    """

    ours: Mapping[str, NDArray[Any]]
    missing: Mapping[str, str]
    misshapen: Mapping[str, tuple[str, Shape, Shape]]
    left: tuple[str, ...]
    apart: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Is it the model, and all of it?"""
        return not (self.missing or self.misshapen or self.left or self.apart)


def to_theirs(names: Names, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Parameters and buffers by path of ours, as the library holds them."""
    parts: dict[str, dict[str, NDArray[Any]]] = {}
    for path, array in arrays.items():
        parts.setdefault(names.theirs(path), {})[path] = array
    found = {}
    for name, own in parts.items():
        array = np.concatenate([own[path] for path in sorted(own, key=_turn)])
        for path in own.keys() & names.flattened.keys():
            array = _turned(array, len(arrays[names.flattened[path]]), first=True)
        if _matches(names.transposed, name):
            array = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        found[name] = array.reshape((1,) * _number(names.lifted, name) + array.shape)
    return found


def to_ours(names: Names, model: ModelSpec, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """The inverse: the model's parameters and buffers by path. NamesError where an array is
    missing, has another shape, is left over, or is not what it repeats.
    """
    found = match(names, model, arrays)
    if not found.whole:
        raise NamesError(told(found, model))
    return dict(found.ours)


def match(names: Names, model: ModelSpec, arrays: Arrays) -> Match:
    """What of these arrays is the model's, and what is not."""
    shapes = {path: each.shape for path, each in (model.parameters() | model.buffers()).items()}
    ours, missing, misshapen = dict[str, NDArray[Any]](), dict[str, str](), {}
    for path, shape in shapes.items():
        name = names.theirs(path)
        if name not in arrays:
            missing[path] = name
        elif (array := own(names, path, arrays)).shape == shape:
            ours[path] = array
        else:
            misshapen[path] = (name, arrays[name].shape, shape)
    used = {names.theirs(path) for path in shapes}
    others = [name for name in arrays if name not in used and not _matches(names.ignored, name)]
    second = {name: _second(names, name) for name in others}
    zero = {name for name in others if _matches(names.zero, name)}
    again = [(name, arrays.get(owner)) for name, owner in second.items() if owner]
    apart = [name for name, owner in again if owner is None or not _same(arrays[name], owner)]
    apart += [name for name in others if name in zero and np.any(arrays[name])]
    return Match(
        ours=ours,
        missing=missing,
        misshapen=misshapen,
        left=tuple(name for name in others if not second[name] and name not in zero),
        apart=tuple(apart),
    )


def told(found: Match, model: ModelSpec) -> str:
    """What is wrong, in one sentence."""
    if found.missing:
        path, name = next(iter(found.missing.items()))
        what = f"{name}, which is {path} of {model.name}, is missing"
        return what + _more(found.missing)
    if found.left:
        return f"{found.left[0]} is nothing that {model.name} has" + _more(found.left)
    if found.misshapen:
        path, (name, shape, wanted) = next(iter(found.misshapen.items()))
        return f"{name} has the shape {shape}; {path} is of {wanted}" + _more(found.misshapen)
    return f"{found.apart[0]} is an array of its own, which {model.name} has not" + _more(
        found.apart
    )


def _more(all_of_them: Collection[object]) -> str:
    return f", and {len(all_of_them) - 1} more" if len(all_of_them) > 1 else ""


def own(names: Names, path: str, arrays: Arrays) -> NDArray[Any]:
    """What a path of ours is in the library's arrays, as we hold it; as it is where it cannot be
    that.
    """
    name = names.theirs(path)
    array = arrays[name]
    axes = _number(names.lifted, name)
    if array.shape[:axes] == (1,) * axes:
        array = array.reshape(array.shape[axes:])
    if _matches(names.transposed, name):
        array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
    if path in names.flattened and array.ndim == 2:
        before = arrays.get(names.theirs(names.flattened[path]))
        array = _turned(array, before.size if before is not None else 1, first=False)
    if _matches(names.joined, name) and array.ndim and len(array) % len(PROJECTIONS) == 0:
        array = np.split(array, len(PROJECTIONS))[_turn(path)]
    return array


def _turned(array: NDArray[Any], channels: int, first: bool) -> NDArray[Any]:
    """(out, channels x places) as (out, places x channels) where channels stood ``first``, else the
    other way round; as it is where that cannot be.
    """
    if not channels or array.shape[1] % channels:
        return array
    parted = array.reshape(len(array), *((channels, -1) if first else (-1, channels)))
    return parted.swapaxes(1, 2).reshape(array.shape)


def _same(array: NDArray[Any], other: NDArray[Any]) -> bool:
    return array.shape == other.shape and np.array_equal(array, other)


def _second(names: Names, name: str) -> str:
    """The name that this one repeats."""
    return next((owner for end, owner in names.second.items() if re.search(end, name)), "")


def _turn(path: str) -> int:
    """The place of a projection among those that are joined."""
    word = path.split(".")[-2:-1]
    return PROJECTIONS.index(word[0]) if word and word[0] in PROJECTIONS else 0


def _matches(patterns: Iterable[str], name: str) -> bool:
    return any(re.search(pattern, name) for pattern in patterns)


def _number(numbers: Mapping[str, int], name: str) -> int:
    return next((number for end, number in numbers.items() if name.endswith(end)), 0)
