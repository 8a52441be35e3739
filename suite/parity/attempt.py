"""What a program makes of a batch of a size that is timed: a prediction, or a step of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from suite.crew import Crew
from suite.material import Material
from suite.parity.findings import Arrays, beginning, read
from suite.plan import Lane
from suite.store.schema import Phase
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

    def made(
        self, crew: Crew, lane: Lane, material: Material, files: Path, again: bool = False
    ) -> Arrays:
        """``logits`` (samples, classes); or ``loss`` before the step, and after it ``parameters/``,
        ``buffers/`` and ``moments/``, with ``again/`` what another shows. The program is left at
        another state. Raises what Worker.call raises.
        """
        files.mkdir(parents=True, exist_ok=True)
        if material.task.name not in crew.member(lane).built:
            crew.build(lane, material, material.initial)
        path = f"{beginning(lane, material, files)}-attempt.npz"
        crew.member(lane).worker.call(
            "attempt",
            task=material.task.name,
            phase=self.phase,
            size=self.size,
            parameters=material.other,
            path=path,
            step=self.step,
            distinct=self.distinct(material.task),
            again=again,
        )
        found = read(path)
        Path(path).unlink()
        return found
