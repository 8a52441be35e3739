"""A user's samples, as an .npz: what frameworks are compared on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.arrays import Arrays
from suite.weights import npz
from suite.weights.contents import WeightsError, shown
from tasks.base import Batch
from tasks.spec import Input, ModelSpec


def read(path: Path, model: ModelSpec) -> Batch:
    """``inputs``, or ``inputs.NAME`` where the model's have names; if they are there ``targets``,
    below 0 where none counts, and ``valid``, or ``valid.NAME``, of padded steps. WeightsError for
    what does not fit the model.
    """
    arrays, given = npz.read(path).arrays, model.every_input
    ends = {name: f".{name}" if name else "" for name in given}
    known = {f"{part}{end}" for part in ("inputs", "valid") for end in ends.values()} | {"targets"}
    for name in arrays:
        if name not in known:
            raise WeightsError(
                f"{path}: {shown(name)} is no part of a batch; there are {', '.join(sorted(known))}"
            )
    inputs = {name: _input(path, f"inputs{ends[name]}", arrays, given[name]) for name in given}
    samples = len(next(iter(inputs.values())))
    if not samples or {len(array) for array in inputs.values()} != {samples}:
        raise WeightsError(f"{path}: all inputs must have the same number of samples, 1 at least")
    *steps, classes = model.output_shape()
    targets: NDArray[Any] = np.full((samples, *steps), -1)
    if "targets" in arrays:
        targets = _fitting(path, "targets", arrays["targets"], "iu", targets.shape)
        if targets.max() >= classes:
            raise WeightsError(f"{path}: targets must be below {classes}")
    masks = {
        name: _fitting(path, f"valid{end}", arrays[f"valid{end}"], "b", inputs[name].shape[:2])
        for name, end in ends.items()
        if f"valid{end}" in arrays
    }
    return Batch(
        inputs=inputs.get("", inputs),
        targets=targets.astype(np.int32),
        valid=masks.get("", masks or None),
    )


def _input(path: Path, name: str, arrays: Arrays, given: Input) -> NDArray[Any]:
    if name not in arrays:
        raise WeightsError(f"{path} has no {name}")
    array, ids = arrays[name], given.vocabulary is not None
    kinds = "iu" if ids else "f"
    found = _fitting(path, name, array, kinds, (*array.shape[:1], *given.shape))
    if given.vocabulary is None:
        return found.astype(np.float64)
    if found.size and not 0 <= found.min() <= found.max() < given.vocabulary:
        raise WeightsError(f"{path}: {name} must be from 0 to {given.vocabulary - 1}")
    return found.astype(np.int32)


def _fitting(
    path: Path, name: str, array: NDArray[Any], kinds: str, shape: tuple[int, ...]
) -> NDArray[Any]:
    if array.shape != shape or not shape or array.dtype.kind not in kinds:
        kind = {"iu": "integers", "f": "floats", "b": "truth values"}[kinds]
        raise WeightsError(
            f"{path}: {name} is {array.dtype} of {array.shape}; it must be {kind} of "
            f"{shape or '(samples, ...)'}"
        )
    return array
