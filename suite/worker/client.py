"""The coordinator's typed end of a worker: operations. All raise what Worker.call does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from suite.worker.answers import (
    BlockTimes,
    Built,
    Captured,
    Evaluation,
    Fed,
    Freshness,
    Peak,
    Trained,
)
from suite.worker.process import Worker
from suite.worker.waiting import Look


@dataclass(frozen=True)
class Program:
    """A program that a worker has built, by its task's name. Arrays travel in files."""

    worker: Worker
    name: str
    built: Built

    def call(self, do: str, **arguments: Any) -> Any:
        """Ask for an operation about the program."""
        return self.worker.call(do, task=self.name, **arguments)

    def differences(self) -> dict[str, str]:
        """What of the task the adapter does by a rule of its own, and why."""
        found: dict[str, str] = self.call("differences")
        return found

    def facts(self) -> dict[str, str]:
        """The paths that the program took."""
        found: dict[str, str] = self.call("facts")
        return found

    def reset(self, parameters: str) -> None:
        """Back to the start of a training, at the parameters of this file."""
        self.call("reset", parameters=parameters)

    def load(self, path: str) -> None:
        """Read the task's data from this file."""
        self.call("load", path=path)

    def put(self, size: int) -> None:
        """Put the batch of this size that is timed on the device."""
        self.call("put", size=size)

    def block(
        self, phase: str, size: int, steps: int, lead_in: int = 0, new: bool = False
    ) -> BlockTimes:
        """Time steps over batches of ``size`` samples as one, after ``lead_in`` that are not timed;
        a prediction's batch is ``new`` to the program where that is asked for.
        """
        given = {"phase": phase, "size": size, "steps": steps, "lead_in": lead_in, "new": new}
        return BlockTimes(*self.call("block", **given))

    def latencies(self, size: int, most: int, within_seconds: float) -> list[float]:
        """Seconds of up to ``most`` predictions, each waited for."""
        given = {"size": size, "most": most, "within_seconds": within_seconds}
        found: list[float] = self.call("latencies", **given)
        return found

    def waits(
        self, phase: str, size: int, inside: bool = False, pause_seconds: float = 0.0
    ) -> list[Look]:
        """Looks at what is left to do when ``wait`` returns (suite.worker.waiting)."""
        given = {"phase": phase, "size": size, "inside": inside, "pause_seconds": pause_seconds}
        return [Look(*each) for each in self.call("waits", **given)]

    def freshness(self, size: int, steps: int, within_seconds: float) -> Freshness | None:
        """Predictions of new batches beside repeated ones; None where that takes too long."""
        found = self.call("freshness", size=size, steps=steps, within_seconds=within_seconds)
        return None if found is None else Freshness(*found)

    def fed(self, phase: str, size: int, steps: int, within_seconds: float) -> Fed:
        """Up to ``steps`` steps, each with its batch put on the device first."""
        given = {"phase": phase, "size": size, "steps": steps, "within_seconds": within_seconds}
        return Fed(*self.call("fed", **given))

    def peak(self) -> Peak:
        """Peaks of memory since the worker's start."""
        return Peak(*self.call("peak"))

    def train(self, first: int, last: int) -> Trained:
        """Train on batches ``first`` to ``last`` (excluded) of the stored order."""
        return Trained(*self.call("train", first=first, last=last))

    def evaluate(self, split: str) -> Evaluation:
        """Evaluate a split."""
        return Evaluation(*self.call("evaluate", split=split))

    def logits(self, split: str, path: str) -> None:
        """Write a split's logits (samples, classes) as in evaluation."""
        self.call("logits", split=split, path=path)

    def capture(self, split: str, path: str, **options: Any) -> Captured:
        """Write inner values and predictions for a split as one batch, by part/path."""
        return Captured(*self.call("capture", split=split, path=path, **options))

    def attempt(
        self,
        phase: str,
        size: int,
        parameters: str,
        path: str,
        step: int = 0,
        distinct: int | None = None,
        again: bool = False,
    ) -> None:
        """Write what the program makes of a batch of this size (suite.worker.values.attempt)."""
        given = {"phase": phase, "size": size, "parameters": parameters, "path": path}
        self.call("attempt", **given, step=step, distinct=distinct, again=again)

    def layer(self, place: str, given: str, path: str) -> None:
        """Write what one layer alone makes of the inputs in a file."""
        self.call("layer", place=place, given=given, path=path)

    def update(self, gradients: str, path: str) -> None:
        """Write what one optimizer step makes of the gradients in a file."""
        self.call("update", gradients=gradients, path=path)

    def parameters(self, path: str) -> None:
        """Write the present parameters and buffers."""
        self.call("parameters", path=path)

    def state(self, path: str) -> None:
        """Write everything that training changes."""
        self.call("state", path=path)

    def restore(self, path: str) -> None:
        """Continue from what ``state`` wrote."""
        self.call("restore", path=path)


@dataclass
class Client:
    """A worker with one backend, and the programs that it has built, by their tasks' names."""

    worker: Worker
    import_seconds: float = 0.0
    programs: dict[str, Program] = field(default_factory=dict)

    def start(
        self, *, backend: str, device: str, precision: str, execution: str, timed: bool = False
    ) -> None:
        """Import the adapter and its framework, as users do if that is ``timed``, and set them
        up.
        """
        self.import_seconds = self.worker.call(
            "start",
            backend=backend,
            device=device,
            precision=precision,
            execution=execution,
            timed=timed,
        )

    def build(self, name: str, task: Any, parameters: str) -> Program:
        """Build the encoded task's program at the parameters of this file; an older one of the name
        is dropped.
        """
        answer = self.worker.call("build", task=task, parameters=parameters)
        self.programs[name] = Program(self.worker, name, Built(*answer))
        return self.programs[name]

    def drop(self, name: str) -> None:
        """Forget a program."""
        self.programs.pop(name).call("drop")

    def clear(self) -> None:
        """Forget all programs."""
        for name in [*self.programs]:
            self.drop(name)

    def survey(self, limit_seconds: float, **question: Any) -> Sequence[dict[str, Any]]:
        """Which adapters load in the interpreter (suite.worker.adapters.survey)."""
        found: list[dict[str, Any]] = self.worker.call(
            "survey", limit_seconds=limit_seconds, **question
        )
        return found

    def copy(self, size_bytes: int, repeats: int) -> list[float]:
        """Seconds of each copy of so much memory, with a thread for each core."""
        found: list[float] = self.worker.call("copy", size_bytes=size_bytes, repeats=repeats)
        return found

    def arithmetic(self) -> dict[str, str]:
        """What the process computes with, as read back."""
        found: dict[str, str] = self.worker.call("arithmetic")
        return found
