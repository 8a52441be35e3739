"""A backend asked with arrays: they travel as files, in a folder of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine import arrays as files
from suite.engine.arrays import Arrays, read
from suite.engine.inputs import TaskInputs
from suite.engine.pool import WorkerPool
from suite.plan.configurations import Configuration
from suite.worker.client import Client, Program
from tasks.base import Batch, Task
from tasks.codec import encode, portable
from tasks.parameters import probe, probe_buffers, rounded

STEPS = 10  # optimizer steps that the batches of a program suffice for


@dataclass(frozen=True)
class RemoteBackend:
    """One configuration in a worker of the pool. All methods raise what Worker.call raises."""

    pool: WorkerPool
    configuration: Configuration
    files: Path

    @property
    def client(self) -> Client:
        """The worker's."""
        return self.pool.client(self.configuration)

    def at(self, precision: str) -> RemoteBackend:
        """The same in another precision."""
        return replace(self, configuration=replace(self.configuration, precision=precision))

    def lose(self) -> None:
        """Give up the worker, which may be broken."""
        self.pool.lose(self.configuration)

    def start(self, task_inputs: TaskInputs, parameters: str) -> Program:
        """The program of a task with data of its own, at the parameters of this file."""
        return self.pool.program(self.configuration, task_inputs, parameters)

    def started(self, task_inputs: TaskInputs) -> Program:
        """The same as it is, or at the parameters that training starts from if there is none."""
        found = self.client.programs.get(task_inputs.task.name)
        return found or self.start(task_inputs, task_inputs.initial)

    def build(self, task: Task, batch: Batch | None = None) -> RemoteProgram:
        """A program of the task at random parameters and buffers; its data are this batch."""
        start = probe(task.model, 0) | probe_buffers(task.model, 0)
        return self.build_at(task, {path: rounded(array) for path, array in start.items()}, batch)

    def build_at(self, task: Task, start: Arrays, batch: Batch | None = None) -> RemoteProgram:
        """The same at these parameters and buffers."""
        spec, parameters = encode(portable(task)), self.write(f"{task.name}-start", start)
        program = self.client.build(task.name, spec, parameters)
        if batch is not None:
            program.load(self.write("data", loadable(batch)))
        return RemoteProgram(self, program)

    def set_to(self, task: Task, start: Arrays) -> RemoteProgram:
        """As ``build_at``, but what this worker built last of the task's name, if it is of the same
        task, is set back: nothing is compiled again.
        """
        found = self.client.programs.get(task.name)
        if found is None or found.task != encode(portable(task)):
            return self.build_at(task, start)
        found.reset(self.write(f"{task.name}-start", start))
        return RemoteProgram(self, found)

    def program(self, task: Task, batch: Batch) -> RemoteProgram:
        """As ``build``, but this worker builds it once, and then sets it back to its start."""
        program = self.client.programs.get(task.name)
        if program is None:
            return self.build(task, batch)
        found = RemoteProgram(self, program)
        found.reset()
        return found

    def predicted(self, task: Task, start: Arrays, samples: Batch) -> NDArray[np.float64]:
        """What a program of the task, which is dropped again, predicts from these parameters and
        buffers.
        """
        program = self.build_at(task, start, samples).program
        program.logits("probe", self.path("logits"))
        self.client.drop(task.name)
        found: NDArray[np.float64] = read(self.path("logits"))["logits"]
        return found

    def path(self, what: str) -> str:
        """Where arrays of this kind lie; the next ones replace them."""
        of = self.configuration
        return f"{self.files}/{of.backend}-{of.execution}-{of.precision}-{what}.npz"

    def path_of(self, task_inputs: TaskInputs, what: str) -> str:
        """Where what was found about a task and seed lies."""
        return self.path(f"{task_inputs.task.name}-{task_inputs.seed}-{what}")

    def discard(self, task_inputs: TaskInputs) -> None:
        """Remove its files for a task and seed: 50 seeds of all of them filled a disk."""
        some = Path(self.path_of(task_inputs, "*"))
        start, _, end = some.name.rpartition("*")
        for file in some.parent.glob(f"{escape(start)}*{end}"):
            file.unlink()

    def write(self, what: str, arrays: Arrays) -> str:
        """Write arrays; the file's path."""
        return files.write(self.path(what), arrays)


@dataclass(frozen=True)
class RemoteProgram:
    """What ``backends.base.Program`` does, in a worker."""

    backend: RemoteBackend
    program: Program

    def layer(
        self,
        place: str,
        inputs: NDArray[Any] | tuple[NDArray[Any], ...],
        upstream: NDArray[np.float64],
        valid: Any = None,
    ) -> Arrays:
        """One layer alone: ``output``, ``input_gradients`` and ``gradients/NAME``; of several
        inputs ``input_gradients/0`` and so on.
        """
        given: Arrays = {"upstream": upstream}
        for name, value in (("inputs", inputs), ("valid", valid)):
            if isinstance(value, tuple):
                several = {f"{name}/{number}": each for number, each in enumerate(value)}
                given |= {key: each for key, each in several.items() if each is not None}
            elif value is not None:
                given[name] = value
        made = self.backend.path("layer")
        self.program.layer(place, self.backend.write("given", given), made)
        return read(made)

    def capture(self) -> Arrays:
        """Every inner value for the batch, by part/path, and the ``loss``."""
        path = self.backend.path("capture")
        loss, found = self.program.capture("probe", path).loss, read(path)
        logits = found.pop("predictions/logits")
        return found | {"loss": np.array(loss), "predictions/logits": logits}

    def train(self, first: int, last: int) -> Arrays:
        """Optimizer steps ``first`` to ``last`` (excluded): their losses."""
        return {"losses": np.array(self.program.train(first, last).losses)}

    def predict(self) -> Arrays:
        """The mean cross-entropy of the batch as in evaluation."""
        return {"loss": np.array(self.program.evaluate("probe").loss)}

    def update(self, gradients: Arrays) -> Arrays:
        """What one optimizer step adds to each parameter; ``gradients`` by path."""
        given = {f"gradients/{path}": array for path, array in gradients.items()}
        made = self.backend.path("update")
        self.program.update(self.backend.write("gradients", given), made)
        return read(made)

    def state(self) -> Arrays:
        """``parameters/PATH``, ``buffers/PATH``, ``moments/PATH/NAME`` and ``step``."""
        path = self.backend.path("state")
        self.program.state(path)
        return read(path)

    def restore(self, state: Arrays) -> None:
        """Continue from what ``state`` gave."""
        self.program.restore(self.backend.write("restored", state))

    def reset(self, seed: int = 0) -> None:
        """Back to the start of a training, by a State without moments, with this seed."""
        self.program.reset(self.backend.path(f"{self.program.name}-start"), seed)


def loadable(batch: Batch) -> Arrays:
    """The batch as ``load`` reads it; every step takes its rows in another order."""
    rows = (np.arange(STEPS)[:, None] + np.arange(len(batch))) % len(batch)
    parts = batch.arrays()
    return {f"{split}.{k}": a for split in ("train", "probe") for k, a in parts.items()} | {
        "order": rows
    }
