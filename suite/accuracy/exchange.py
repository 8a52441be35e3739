"""Checkpoints travel: trained in one framework, evaluated in the others and in the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.accuracy.training import checkpoint
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink
from suite.engine.pool import WorkerPool
from suite.engine.remote import RemoteBackend, read
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.records.schema import Disagreement, Exchange, ExchangeRecord

Logits = NDArray[np.float64]

ALLOWANCE = 8.0  # times NumPy's own float32 error; other orders of summation differ by so much


def groups(
    configurations: Sequence[Configuration],
    reference: Configuration,
    all_inputs: Sequence[TaskInputs],
    folder: Path,
) -> tuple[JobGroup, ...]:
    """A job group per task, for the float32 checkpoints of its first seed; ``reference`` is
    NumPy's configuration in float64.
    """
    exact = [each for each in configurations if each.precision == "float32"]
    return tuple(
        JobGroup(
            suffix=f"exchange-{task_inputs.task.name}",
            jobs=(ExchangeJob(exact, reference, task_inputs, folder).job(),),
        )
        for task_inputs in all_inputs
        if exact
    )


@dataclass(frozen=True)
class ExchangeJob:
    """All checkpoints of one task in all configurations."""

    configurations: Sequence[Configuration]
    reference: Configuration
    task_inputs: TaskInputs
    folder: Path

    def job(self) -> Job:
        """The work of it."""
        task = self.task_inputs.task
        return Job(
            id=f"exchange/{task.name}",
            label=f"checkpoints of {task.name}, evaluated everywhere",
            cost_seconds=estimate.exchange(task, len(self.configurations)),
            run=self._run,
        )

    def _run(self, pool: WorkerPool, sink: Sink) -> None:
        for trained in self.configurations:
            path = checkpoint(self.folder, trained, self.task_inputs).final
            if not path.exists():  # its training failed, which is told there
                continue
            right = self._logits(pool, sink, self.reference, path)
            rough = self._logits(pool, sink, replace(self.reference, precision="float32"), path)
            if right is None or rough is None:
                return
            rounding = float(np.abs(rough - right).max())
            for configuration in self.configurations:
                logits = self._logits(pool, sink, configuration, path)
                if logits is not None:
                    found = Exchange(
                        task=self.task_inputs.task.name,
                        seed=self.task_inputs.seed,
                        precision=configuration.precision,
                        trained_in=trained.backend,
                        evaluated_in=configuration.backend,
                        samples=len(right),
                        **compared(right, logits, rounding),
                    )
                    sink.emit(ExchangeRecord, exchange=found)

    def _logits(
        self, pool: WorkerPool, sink: Sink, configuration: Configuration, path: Path
    ) -> Logits | None:
        task = self.task_inputs.task.name
        with sink.failures("exchange", pool, configuration, task=task):
            backend = RemoteBackend(pool, configuration, self.task_inputs.folder)
            into = backend.path(f"{path.stem}-logits")
            backend.start(self.task_inputs, str(path)).logits("test", into)
            logits: Logits = read(into)["logits"]
            return logits
        return None


def compared(right: Logits, logits: Logits, rounding: float) -> dict[str, Any]:
    """The fields of an Exchange that tell what ``logits`` differ by from ``right``, both (samples,
    classes). Two logits that err by ``ALLOWANCE`` times ``rounding`` in opposite directions can
    swap where they are less than twice that apart; further apart it is no rounding.
    """
    best = np.sort(right, axis=1)
    margins = best[:, -1] - best[:, -2]
    other = np.flatnonzero(right.argmax(axis=1) != logits.argmax(axis=1))
    allowed = 2 * ALLOWANCE * rounding
    return {
        "error": float(np.abs(logits - right).max()),
        "rounding": rounding,
        "wrong": int((margins[other] > allowed).sum()),
        "disagreements": [
            Disagreement(sample=int(sample), margin=float(margins[sample])) for sample in other
        ],
    }
