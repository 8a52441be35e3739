"""What a program makes of a batch of a size that is timed: a prediction, or a step of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite.engine.inputs import TaskInputs
from suite.engine.remote import Arrays, RemoteBackend, read
from suite.records.schema import Phase
from tasks.base import Task

# That the reference does in a step. It reaches some 1e10 a second on two cores: a minute. That of
# the largest task, transformer-small with a batch of 128, has 1.6e11.
MOST_OPERATIONS = 6e11
LATE = 10_000  # steps that a program may have made when it is asked again


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
