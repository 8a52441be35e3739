"""Weights of the user's that a task starts from, in place of random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.plan.options import UsageError
from suite.weights import npz
from suite.weights.checkpoint import FLOATS
from suite.weights.contents import WeightsError, refused, shown
from suite.worker.private import without_private
from tasks.base import Task
from tasks.models.names import Names, match, told
from tasks.spec import ModelSpec


@dataclass(frozen=True)
class FileWeights:
    """Canonical parameters and buffers, as ``tribench weights import`` writes them. ``name`` is the
    file's, with twelve hexadecimal digits that change with what is in it.
    """

    path: Path
    name: str

    def load(self) -> dict[str, NDArray[Any]]:
        """By path; WeightsError if the file cannot be read any more."""
        return npz.read(self.path).arrays


def started(tasks: Mapping[str, Task], options: Sequence[str]) -> dict[str, Task]:
    """The tasks, of which those named in ``TASK=FILE`` start from the weights of a file. UsageError
    for another form or an unknown task; WeightsError for a file that is not whole or not the
    model's.
    """
    found, seen = dict(tasks), set[str]()
    for option in options:
        name, is_there, file = option.partition("=")
        if not is_there or not file:
            raise UsageError(f"--weights {option}: it must be TASK=FILE")
        if name not in tasks:
            raise UsageError(f"--weights {option}: no task {name!r}; tribench list names them")
        if name in seen:
            raise UsageError(f"--weights {option}: {name} has weights already")
        seen.add(name)
        found[name] = replace(tasks[name], weights=_checked(Path(file), tasks[name].model))
    return found


def _checked(path: Path, model: ModelSpec) -> FileWeights:
    if path.suffix != ".npz":
        raise WeightsError(f"{path} is no .npz file; tribench weights import makes one")
    arrays = npz.read(path).arrays
    same = match(Names(), model, arrays)
    if not same.whole:
        raise WeightsError(f"{path}: {shown(told(same, model))}")
    for name, array in arrays.items():
        if str(array.dtype) not in FLOATS:
            allowed = ", ".join(FLOATS)
            raise WeightsError(f"{path}: {shown(name)} is {array.dtype}; allowed are {allowed}")
        if not np.isfinite(array).all():
            raise WeightsError(f"{path}: {shown(name)} has a value that is not finite")
    with refused(path), path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()[:12]
    return FileWeights(path.absolute(), f"{without_private(path.name)} {digest}")
