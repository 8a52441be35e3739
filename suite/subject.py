"""An adapter as a check sees it: programs in a worker, asked through the worker's operations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.plan import Lane
from tasks.base import Batch, Task
from tasks.codec import NamedData, encode, portable
from tasks.parameters import probe, probe_buffers
from tasks.spec import CrossEntropy, ModelSpec, Optimizer

Arrays = dict[str, NDArray[Any]]

STEPS = 10  # optimizer steps that the batches of a program suffice for


def rounded(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """To float32's values, so that both precisions start from the same."""
    return array.astype(np.float32).astype(np.float64)


def bare(model: ModelSpec, optimizer: Optimizer, batch_size: int) -> Task:
    """A task without data, for a model that is looked at and not trained to an end."""
    return Task(
        name=model.name,
        model=model,
        data=NamedData(name="none"),
        loss=CrossEntropy(),
        optimizer=optimizer,
        batch_size=batch_size,
        timed_batch_size=batch_size,
        epochs=1,
    )


@dataclass(frozen=True)
class Subject:
    """One backend in one lane. Arrays travel through ``files``."""

    crew: Crew
    lane: Lane
    files: Path

    def build(self, task: Task, batch: Batch | None = None) -> Program:
        """A program of the task at random parameters and buffers; its data are this batch."""
        start = probe(task.model, 0) | probe_buffers(task.model, 0)
        values = {path: rounded(array) for path, array in start.items()}
        parameters = self.write(f"{task.name}-start", values)
        self.call("build", task=encode(portable(task)), parameters=parameters)
        if batch is not None:
            self.call("load", task=task.name, path=self.write("data", loadable(batch)))
        return Program(self, task.name, parameters)

    def program(self, task: Task, batch: Batch) -> Program:
        """As ``build``, but this worker builds it once, and then sets it back to its start."""
        built = self.crew.member(self.lane).built
        if task.name in built:
            built[task.name].reset()
        else:
            built[task.name] = self.build(task, batch)
        found: Program = built[task.name]
        return found

    def predicted(self, task: Task, start: Arrays, samples: Batch) -> NDArray[np.float64]:
        """What a program of the task, which is dropped again, predicts from these parameters and
        buffers.
        """
        parameters = self.write(f"{task.name}-start", start)
        self.call("build", task=encode(portable(task)), parameters=parameters)
        self.call("load", task=task.name, path=self.write("data", loadable(samples)))
        found: NDArray[np.float64] = self.ask("logits", task=task.name, split="probe")["logits"]
        self.call("drop", task=task.name)
        return found

    def call(self, do: str, **arguments: Any) -> Any:
        """Ask the lane's worker. Raises what Worker.call raises."""
        return self.crew.member(self.lane).worker.call(do, **arguments)

    def path(self, what: str) -> str:
        """Where arrays of this kind lie; the next ones replace them."""
        lane = self.lane
        return str(self.files / f"{lane.arm.name}-{lane.execution}-{lane.precision}-{what}.npz")

    def write(self, what: str, arrays: Arrays) -> str:
        """Write arrays; the file's path."""
        path = self.path(what)
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    def read(self, what: str) -> Arrays:
        """The arrays that lie there."""
        with np.load(self.path(what)) as arrays:
            return dict(arrays)

    def ask(self, do: str, **arguments: Any) -> Arrays:
        """Have an operation write arrays, and read them."""
        self.call(do, path=self.path(do), **arguments)
        return self.read(do)


@dataclass(frozen=True)
class Program:
    """What ``backends.base.Program`` does, in a worker; ``start`` is the file it was built from."""

    subject: Subject
    name: str
    start: str

    def layer(
        self,
        place: str,
        inputs: NDArray[Any],
        upstream: NDArray[np.float64],
        valid: NDArray[np.bool_] | None = None,
    ) -> Arrays:
        """One layer alone: ``output``, ``input_gradients`` and ``gradients/NAME``."""
        given = {"inputs": inputs, "upstream": upstream}
        file = self.subject.write("given", given if valid is None else given | {"valid": valid})
        return self.subject.ask("layer", task=self.name, place=place, given=file)

    def capture(self) -> Arrays:
        """Every inner value for the batch, by part/path, and the ``loss``."""
        path = self.subject.path("capture")
        answer = self.subject.call("capture", task=self.name, split="probe", path=path)
        found = self.subject.read("capture")
        logits = found.pop("predictions/logits")
        return found | {"loss": np.array(answer["loss"]), "predictions/logits": logits}

    def train(self, first: int, last: int) -> Arrays:
        """Optimizer steps ``first`` to ``last`` (excluded): their losses."""
        answer = self.subject.call("train", task=self.name, first=first, last=last)
        return {"losses": np.array(answer["losses"])}

    def predict(self) -> Arrays:
        """The mean cross-entropy of the batch as in evaluation."""
        answer = self.subject.call("evaluate", task=self.name, split="probe")
        return {"loss": np.array(answer["loss"])}

    def update(self, gradients: Arrays) -> Arrays:
        """What one optimizer step adds to each parameter; ``gradients`` by path."""
        file = self.subject.write("gradients", {f"gradients/{p}": g for p, g in gradients.items()})
        return self.subject.ask("update", task=self.name, gradients=file)

    def state(self) -> Arrays:
        """``parameters/PATH``, ``buffers/PATH``, ``moments/PATH/NAME`` and ``step``."""
        return self.subject.ask("state", task=self.name)

    def restore(self, state: Arrays) -> None:
        """Continue from what ``state`` gave."""
        file = self.subject.write("restored", state)
        self.subject.call("restore", task=self.name, path=file)

    def reset(self) -> None:
        """Back to the start of a training, by a State without moments."""
        self.subject.call("reset", task=self.name, parameters=self.start)


def loadable(batch: Batch) -> Arrays:
    """The batch as ``load`` reads it; every step takes its rows in another order."""
    parts = {"inputs": batch.inputs, "targets": batch.targets, "valid": batch.valid}
    rows = (np.arange(STEPS)[:, None] + np.arange(len(batch))) % len(batch)
    given = {k: array for k, array in parts.items() if array is not None}
    return {f"{split}.{k}": a for split in ("train", "probe") for k, a in given.items()} | {
        "order": rows
    }
