"""Checkpoints travel: trained in one framework, evaluated in the others and in the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suite import cost
from suite.accuracy.training import checkpoint
from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane
from suite.store.schema import Disagreement, Exchange, ExchangeRecord, FailureRecord
from suite.work import FAILURES, Sink, Track, Unit, status_of

Logits = NDArray[np.float64]

ALLOWANCE = 8.0  # times NumPy's own float32 error; other orders of summation differ by so much


def tracks(
    lanes: Sequence[Lane], reference: Lane, materials: Sequence[Material], folder: Path
) -> tuple[Track, ...]:
    """A track and unit per task, for the float32 checkpoints of its first seed; ``reference`` is
    NumPy's lane in float64.
    """
    lanes = [lane for lane in lanes if lane.precision == "float32"]
    return tuple(
        Track(
            suffix=f"exchange-{material.task.name}",
            units=(Swap(lanes, reference, material, folder).unit(),),
        )
        for material in materials
        if lanes
    )


@dataclass(frozen=True)
class Swap:
    """All checkpoints of one task in all lanes."""

    lanes: Sequence[Lane]
    reference: Lane
    material: Material
    folder: Path

    def unit(self) -> Unit:
        """The work of it."""
        task = self.material.task
        return Unit(
            name=f"exchange/{task.name}",
            what=f"checkpoints of {task.name}, evaluated everywhere",
            cost_seconds=cost.exchange(task, len(self.lanes)),
            do=self._do,
        )

    def _do(self, crew: Crew, sink: Sink) -> None:
        for trained in self.lanes:
            path = checkpoint(self.folder, trained, self.material).final
            if not path.exists():  # its training failed, which is told there
                continue
            right = self._logits(crew, sink, self.reference, path)
            rough = self._logits(crew, sink, replace(self.reference, precision="float32"), path)
            if right is None or rough is None:
                return
            rounding = float(np.abs(rough - right).max())
            for lane in self.lanes:
                logits = self._logits(crew, sink, lane, path)
                if logits is not None:
                    found = compared(right, logits, rounding)
                    names = {
                        "task": self.material.task.name,
                        "seed": self.material.seed,
                        "precision": lane.precision,
                        "trained_in": trained.arm.name,
                        "evaluated_in": lane.arm.name,
                        "samples": len(right),
                    }
                    sink.emit(ExchangeRecord, exchange=Exchange(**names, **found))

    def _logits(self, crew: Crew, sink: Sink, lane: Lane, path: Path) -> Logits | None:
        name = self.material.task.name
        into = self.material.folder / f"{path.stem}-in-{lane.arm.name}-{lane.precision}.npz"
        try:
            crew.build(lane, self.material, str(path))
            crew.member(lane).worker.call("logits", task=name, split="test", path=str(into))
        except FAILURES as error:
            crew.lose(lane)
            sink.emit(
                FailureRecord,
                stage="exchange",
                status=status_of(error),
                reason=str(error),
                task=name,
                backend=lane.arm.name,
                execution=lane.execution,
                precision=lane.precision,
            )
            return None
        with np.load(into) as arrays:
            found: Logits = arrays["logits"]
        return found


def compared(right: Logits, logits: Logits, rounding: float) -> dict[str, object]:
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
