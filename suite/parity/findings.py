"""What one backend makes of a task, in files: everything that parity looks at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from suite.engine.arrays import Arrays, read, write
from suite.engine.inputs import TaskInputs
from suite.engine.remote import RemoteBackend
from suite.records.schema import Phase
from suite.worker.client import Program
from tasks.base import Task

# That the reference does in a step. It reaches some 1e10 a second on two cores: a minute. That of
# the largest task, transformer-small with a batch of 128, has 1.6e11.
MOST_OPERATIONS = 6e11


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Inner values for the probe batch; where the function is asked for, also those for ``own``
    samples of the task's, one update, and what some steps of its own recipe make: the parameters
    and buffers, and the probe batch's ``logits`` then. ``capture`` maps part/path to arrays;
    ``file`` is where it lies.
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
    own = captured(program, "own", backend.path_of(task_inputs, "own"))
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
    program = backend.start(task_inputs, parameters or task_inputs.probe)
    if batch is not None:
        program.load(batch)
    name = "probe" if batch is None else "look"  # others still read the probe's file
    return captured(program, "probe", backend.path_of(task_inputs, name))


def captured(program: Program, split: str, file: str) -> Findings:
    """What a program shows for a split, kept in this file."""
    loss, scales = program.capture(split, file)
    return Findings(loss=loss, capture=read(file), scales=scales, file=file)


def train(
    backend: RemoteBackend, task_inputs: TaskInputs, start: str, steps: Sequence[int]
) -> Iterator[Arrays]:
    """The parameters and buffers after each of so many steps from those of the file ``start``. The
    next ones take their file: what nobody keeps takes no room.
    """
    program, path = backend.start(task_inputs, start), backend.path_of(task_inputs, "trained")
    for first, last in zip([0, *steps], steps, strict=False):
        program.train(first, last)
        program.parameters(path)
        yield read(path)


def trained(backend: RemoteBackend, task_inputs: TaskInputs, last: int) -> Arrays:
    """The parameters and buffers after so many steps, and the probe batch's ``logits``. It was
    predicted before them too: what a program keeps of a prediction must not outlive a step.
    """
    program, logits = backend.start(task_inputs, task_inputs.initial), _logits(backend, task_inputs)
    program.predictions("probe", logits)
    program.train(0, last)
    path = backend.path_of(task_inputs, "trained")
    program.parameters(path)
    program.predictions("probe", logits)
    return read(path) | read(logits)


def predicted(backend: RemoteBackend, task_inputs: TaskInputs, parameters: Arrays) -> Arrays:
    """The probe batch's ``logits`` at these parameters and buffers."""
    start, logits = (
        written(backend, task_inputs, "start", parameters),
        _logits(backend, task_inputs),
    )
    backend.start(task_inputs, start).predictions("probe", logits)
    Path(start).unlink()
    return read(logits)


def _logits(backend: RemoteBackend, task_inputs: TaskInputs) -> str:
    return backend.path_of(task_inputs, "logits")


def written(backend: RemoteBackend, task_inputs: TaskInputs, what: str, arrays: Arrays) -> str:
    """The file of what the backend is given about a task and seed."""
    return write(backend.path_of(task_inputs, what), arrays)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One phase with batches of one size, on the task's own training samples and at parameters that
    the program does not have before.
    """

    phase: Phase
    size: int
    step: int = 0  # how many are counted before

    def distinct(self, task: Task) -> int | None:
        """How many different samples a training batch has; None if all are."""
        affordable = int(MOST_OPERATIONS / max(1, 3 * task.model.flops()))
        return None if affordable >= self.size else max(1, affordable)

    def made(self, backend: RemoteBackend, task_inputs: TaskInputs, again: bool = False) -> Arrays:
        """``logits`` (samples, classes); or ``loss`` before the step, and after it ``parameters/``,
        ``buffers/`` and ``moments/``, with ``again/`` what another shows. The program is left at
        another state. Raises what Worker.call raises.
        """
        backend.files.mkdir(parents=True, exist_ok=True)
        path = backend.path_of(task_inputs, "attempt")
        backend.started(task_inputs).attempt(
            self.phase,
            self.size,
            task_inputs.other,
            path,
            step=self.step,
            distinct=self.distinct(task_inputs.task),
            again=again,
        )
        found = read(path)
        Path(path).unlink()
        return found
