"""Checkpoints travel: trained in one framework, evaluated in the others and in the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.accuracy.training import checkpoint
from suite.engine.arrays import read
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink
from suite.engine.pool import WorkerPool
from suite.engine.remote import RemoteBackend
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.records.schema import Disagreement, Exchange, ExchangeRecord

Logits = NDArray[np.float64]

MOST = 2**22  # logits that are kept of a checkpoint: 32 MiB, all but those of every step of many
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
            jobs=(_job(exact, reference, task_inputs, folder),),
        )
        for task_inputs in all_inputs
        if exact
    )


def _job(
    configurations: Sequence[Configuration],
    reference: Configuration,
    task_inputs: TaskInputs,
    folder: Path,
) -> Job:
    """All checkpoints of one task in all configurations."""
    task = task_inputs.task
    most = max(task.batch_size, MOST // prod(task.model.output_shape()))

    def run(pool: WorkerPool, sink: Sink) -> None:
        def evaluated(configuration: Configuration, path: Path) -> Logits | None:
            with sink.failures("exchange", pool, configuration, task=task.name):
                backend = RemoteBackend(pool, configuration, task_inputs.folder)
                into = backend.path(f"{path.stem}-logits")
                backend.start(task_inputs, str(path)).logits("test", into, most)
                logits: Logits = read(into)["logits"]
                return logits
            return None

        for trained in configurations:
            path = checkpoint(folder, trained, task_inputs).final
            if not path.exists():  # its training failed, which is told there
                continue
            right = evaluated(reference, path)
            rough = evaluated(replace(reference, precision="float32"), path)
            if right is None or rough is None:
                return
            rounding = float(np.abs(rough - right).max())
            for configuration in configurations:
                logits = evaluated(configuration, path)
                if logits is not None:
                    found = Exchange(
                        task=task.name,
                        seed=task_inputs.seed,
                        precision=configuration.precision,
                        trained_in=trained.backend,
                        evaluated_in=configuration.backend,
                        samples=right[..., 0].size,
                        **compared(right, logits, rounding),
                    )
                    sink.emit(ExchangeRecord, exchange=found)

    return Job(
        id=f"exchange/{task.name}",
        label=f"checkpoints of {task.name}, evaluated everywhere",
        cost_seconds=estimate.exchange(task, len(configurations)),
        run=run,
    )


def compared(right: Logits, logits: Logits, rounding: float) -> dict[str, Any]:
    """The fields of an Exchange that tell what ``logits`` differ by from ``right``, both (samples,
    ..., classes); every step's are looked at for themselves, and those that disagree are told by
    their sample. Two logits that err by ``ALLOWANCE`` times ``rounding`` in opposite directions can
    swap where they are less than twice that apart; further apart it is no rounding.
    """
    each = right[0, ..., 0].size  # predictions of a sample
    best = np.sort(right, axis=-1)
    margins = (best[..., -1] - best[..., -2]).ravel()
    other = np.flatnonzero(right.argmax(axis=-1) != logits.argmax(axis=-1))
    allowed = 2 * ALLOWANCE * rounding
    return {
        "error": float(np.abs(logits - right).max()),
        "rounding": rounding,
        "wrong": int((margins[other] > allowed).sum()),
        "disagreements": [
            Disagreement(sample=int(row // each), margin=float(margins[row])) for row in other
        ],
    }
