"""What one backend makes of a task, in files: everything that parity looks at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane

STEPS = 10  # optimizer steps after which parameters are compared

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Inner values for the probe batch, one update, and the parameters and buffers after STEPS
    steps of the task's own recipe. ``capture`` maps part/path to arrays; ``file`` is where it lies.
    """

    loss: float
    capture: Arrays
    update: Arrays
    trained: Arrays
    scales: dict[str, float]
    file: str


def examine(
    crew: Crew, lane: Lane, material: Material, files: Path, gradients: str | None
) -> Findings:
    """Have one backend do everything that parity looks at. The update is made of the gradients in
    the file ``gradients``, or of its own. Raises what Worker.call raises.
    """
    files.mkdir(parents=True, exist_ok=True)
    start = f"{files}/{material.task.name}-{lane.arm.name}-{lane.execution}-{lane.precision}"
    name, file = material.task.name, f"{start}-capture.npz"
    crew.build(lane, material, material.probe)
    worker = crew.member(lane).worker
    answer = worker.call("capture", task=name, split="probe", path=file)
    worker.call("update", task=name, gradients=gradients or file, path=f"{start}-update.npz")
    worker.call("reset", task=name, parameters=material.initial)
    worker.call("train", task=name, first=0, last=STEPS)
    worker.call("parameters", task=name, path=f"{start}-trained.npz")
    return Findings(
        loss=answer["loss"],
        capture=read(file),
        update=read(f"{start}-update.npz"),
        trained=read(f"{start}-trained.npz"),
        scales=answer["scales"],
        file=file,
    )


def read(file: str) -> Arrays:
    with np.load(file) as arrays:
        return dict(arrays)
