"""The questions that parity asks of a backend, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple

from suite.crew import Crew
from suite.material import Material
from suite.parity.compare import errors, locate, worst
from suite.parity.reference import Findings, Reference, examine
from suite.plan import Lane
from suite.store.schema import FailureRecord, ParityRecord, ParityResult, ParityVerdict
from suite.work import FAILURES, Sink, Track, Unit, status_of

COST_SECONDS = 6.0


class Question(NamedTuple):
    """What is asked in one precision.

    Correct float64 arithmetic stays ten orders of magnitude below the smallest realistic mistake,
    so its threshold need not be fine; float32's is the rounding of models of this size, with a
    margin.
    """

    name: Literal["function", "precision"]
    threshold: float
    parts: tuple[str, ...]


INNER = ("activations", "predictions", "loss", "gradients")
QUESTIONS = {
    "float64": Question("function", 1e-9, (*INNER, "input_gradients", "update", "trained")),
    "float32": Question("precision", 1e-5, INNER),
}


def tracks(
    lanes: Sequence[Lane], materials: Sequence[Material], reference: Reference, files: Path
) -> tuple[Track, ...]:
    """A track per lane, a unit per task."""
    return tuple(
        Track(
            suffix=f"parity-{lane.execution}-{lane.precision}",
            units=tuple(_unit(lane, material, reference, files) for material in materials),
        )
        for lane in lanes
    )


def _unit(lane: Lane, material: Material, reference: Reference, files: Path) -> Unit:
    task, name, question = material.task, lane.arm.name, QUESTIONS[lane.precision]

    def result(verdict: ParityVerdict, reason: str | None) -> ParityResult:
        return ParityResult(
            task=task.name,
            backend=name,
            execution=lane.execution,
            device=lane.device,
            precision=lane.precision,
            question=question.name,
            verdict=verdict,
            reason=reason,
            threshold=question.threshold,
        )

    def ask(crew: Crew, sink: Sink) -> ParityResult:
        if lane.refused is not None:
            status, reason = lane.refused
            return result("not_available" if status == "not_available" else "not_supported", reason)
        try:
            wanted = reference.findings(material)
        except FAILURES as error:
            return result("failed", f"the reference: {error}")
        try:
            found = examine(crew, lane, material, files, wanted.file)
        except FAILURES as error:
            crew.lose(lane)
            verdict: ParityVerdict = (
                "not_supported" if status_of(error) == "not_supported" else "failed"
            )
            return result(verdict, str(error))
        return _judge(result("same", None), question, found, wanted, material)

    def do(crew: Crew, sink: Sink) -> None:
        answer = ask(crew, sink)
        sink.emit(ParityRecord, result=answer)
        if answer.verdict == "failed":
            sink.emit(
                FailureRecord,
                stage="parity",
                status="failed",
                reason=answer.reason or "",
                task=task.name,
                backend=name,
                execution=lane.execution,
            )

    return Unit(
        name=f"parity/{task.name}/{name}/{lane.execution}/{lane.precision}",
        what=f"parity of {task.name}, {name} {lane.execution} in {lane.precision}",
        cost_seconds=0.1 if lane.refused else COST_SECONDS,
        do=do,
    )


def _judge(
    same: ParityResult, question: Question, found: Findings, wanted: Findings, material: Material
) -> ParityResult:
    every = errors(found, wanted, question.parts)
    location = locate(every, material.task.model, question.threshold)
    by_part = worst(every)
    part = max(by_part, key=lambda name: by_part[name])
    error = by_part[part]
    changes: dict[str, object] = {
        "error": error if isfinite(error) else None,
        "errors": {name: value for name, value in by_part.items() if isfinite(value)},
        "location": location,
    }
    if location is not None:
        what = f"{error:.1e}, more than {question.threshold:g}" if isfinite(error) else "not finite"
        changes["verdict"] = "different"
        changes["reason"] = (
            f"{location.kind} {location.path}; the worst error, of {part}, is {what}"
        )
    return same.model_copy(update=changes)
