"""What one backend makes of a task, in files: everything that parity looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Inner values for the probe batch; where the function is asked for, also those for ``own``
    samples of the task's, one update, and the parameters and buffers after some steps of its own
    recipe. ``capture`` maps part/path to arrays; ``file`` is where it lies.
    """

    loss: float
    capture: Arrays
    scales: dict[str, float]
    file: str
    own: Findings | None = None
    update: Arrays = field(default_factory=dict)
    trained: Arrays = field(default_factory=dict)


def examine(
    crew: Crew, lane: Lane, material: Material, files: Path, gradients: str | None
) -> Findings:
    """Have one backend show its inner values and make one update, of the gradients in the file
    ``gradients`` or of its own. Raises what Worker.call raises.
    """
    found = look_inside(crew, lane, material, files)
    own = _capture(crew, lane, material, files, "own", "own")
    name, worker = material.task.name, crew.member(lane).worker
    path = beginning(lane, material, files) + "-update.npz"
    worker.call("update", task=name, gradients=gradients or found.file, path=path)
    return replace(found, own=own, update=read(path))


def look_inside(
    crew: Crew,
    lane: Lane,
    material: Material,
    files: Path,
    parameters: str | None = None,
    batch: str | None = None,
) -> Findings:
    """Inner values for the probe batch or the one in a file, at the probe's parameters or those of
    another file.
    """
    files.mkdir(parents=True, exist_ok=True)
    crew.build(lane, material, parameters or material.probe)
    if batch is not None:
        crew.member(lane).worker.call("load", task=material.task.name, path=batch)
    name = "probe" if batch is None else "look"  # others still read the probe's file
    return _capture(crew, lane, material, files, "probe", name)


def _capture(
    crew: Crew, lane: Lane, material: Material, files: Path, split: str, name: str
) -> Findings:
    file = f"{beginning(lane, material, files)}-{name}.npz"
    worker = crew.member(lane).worker
    answer = worker.call("capture", task=material.task.name, split=split, path=file)
    return Findings(loss=answer["loss"], capture=read(file), scales=answer["scales"], file=file)


def train(
    crew: Crew, lane: Lane, material: Material, start: str, files: Path, steps: Sequence[int]
) -> list[Arrays]:
    """The parameters and buffers after each of so many steps from those of the file ``start``."""
    files.mkdir(parents=True, exist_ok=True)
    path = beginning(lane, material, files) + "-trained.npz"
    crew.build(lane, material, start)
    worker, found = crew.member(lane).worker, []
    for first, last in zip([0, *steps], steps, strict=False):
        worker.call("train", task=material.task.name, first=first, last=last)
        worker.call("parameters", task=material.task.name, path=path)
        found.append(read(path))
    return found


def beginning(lane: Lane, material: Material, files: Path) -> str:
    """How the names of a lane's files for a task and seed begin."""
    name = f"{material.task.name}-{material.seed}"
    return f"{files}/{name}-{lane.arm.name}-{lane.execution}-{lane.precision}"


def discard(lane: Lane, material: Material, files: Path) -> None:
    """Remove the lane's files for a task and seed: 50 seeds of all of them filled a disk."""
    start = Path(beginning(lane, material, files))
    for file in start.parent.glob(f"{escape(start.name)}-*"):
        file.unlink()


def read(file: str) -> Arrays:
    with np.load(file) as arrays:
        return dict(arrays)
