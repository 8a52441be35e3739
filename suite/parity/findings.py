"""What one backend makes of a task, in files: everything that parity looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from suite.engine.inputs import TaskInputs
from suite.engine.remote import Arrays, RemoteBackend, read
from suite.worker.client import Program


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
    backend: RemoteBackend, task_inputs: TaskInputs, gradients: str | None = None
) -> Findings:
    """Have one backend show its inner values and make one update, of the gradients in the file
    ``gradients`` or of its own. Raises what Worker.call raises.
    """
    found = look_inside(backend, task_inputs)
    program, path = backend.started(task_inputs), backend.path_of(task_inputs, "update")
    own = _capture(backend, task_inputs, "own", "own")
    program.update(gradients or found.file, path)
    return replace(found, own=own, update=read(path))


def look_inside(
    backend: RemoteBackend,
    task_inputs: TaskInputs,
    parameters: str | None = None,
    batch: str | None = None,
) -> Findings:
    """Inner values for the probe batch or the one in a file, at the probe's parameters or those of
    another file.
    """
    backend.files.mkdir(parents=True, exist_ok=True)
    program = backend.start(task_inputs, parameters or task_inputs.probe)
    if batch is not None:
        program.load(batch)
    name = "probe" if batch is None else "look"  # others still read the probe's file
    return _capture(backend, task_inputs, "probe", name)


def _capture(backend: RemoteBackend, task_inputs: TaskInputs, split: str, name: str) -> Findings:
    file = backend.path_of(task_inputs, name)
    return captured(backend.started(task_inputs), split, file)


def captured(program: Program, split: str, file: str) -> Findings:
    """What a program shows for a split, kept in this file."""
    loss, scales = program.capture(split, file)
    return Findings(loss=loss, capture=read(file), scales=scales, file=file)


def train(
    backend: RemoteBackend, task_inputs: TaskInputs, start: str, steps: Sequence[int]
) -> list[Arrays]:
    """The parameters and buffers after each of so many steps from those of the file ``start``."""
    backend.files.mkdir(parents=True, exist_ok=True)
    program, path = backend.start(task_inputs, start), backend.path_of(task_inputs, "trained")
    found = []
    for first, last in zip([0, *steps], steps, strict=False):
        program.train(first, last)
        program.parameters(path)
        found.append(read(path))
    return found
