"""The questions that parity asks of a backend, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Literal, NamedTuple

from suite import cost
from suite.crew import Crew
from suite.material import Material
from suite.parity.compare import Errors, errors, locate, worst
from suite.parity.findings import examine
from suite.parity.reference import Reference
from suite.plan import Lane
from suite.store.schema import FailureRecord, ParityRecord, ParityResult, ParityVerdict
from suite.work import FAILURES, Sink, Track, Unit, status_of
from tasks.spec import ModelSpec


class Question(NamedTuple):
    """What is asked in one precision.

    Correct float64 arithmetic stays ten orders of magnitude below the smallest realistic mistake,
    so its threshold need not be fine. float32's is the rounding of shallow models, with a margin;
    what exceeds it is held against ``margin`` times what rounding makes of that part in the
    reference. In cnn-small one ReLU that flips within rounding makes 5.5e-4 of a gradient, the same
    in PyTorch, in TensorFlow and in one of eight roundings of the reference.
    """

    name: Literal["function", "precision"]
    threshold: float
    parts: tuple[str, ...]
    margin: float = 0.0


INNER = ("activations", "predictions", "loss", "gradients", "buffers")
QUESTIONS = {
    "float64": Question("function", 1e-9, (*INNER, "input_gradients", "update", "trained")),
    "float32": Question("precision", 1e-5, INNER, margin=16.0),
}


def parity_lanes(lanes: Sequence[Lane]) -> list[Lane]:
    """Each lane as the questions need it: in float64, and in its own precision."""
    asked: dict[tuple[str, str, str], Lane] = {}
    for lane in lanes:
        for precision in ("float64", lane.precision):
            if precision in QUESTIONS and not lane.twin:
                key = (lane.arm.name, lane.execution, precision)
                asked.setdefault(key, replace(lane, precision=precision))
    return list(asked.values())


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
        every = errors(found, wanted, question.parts)
        limits = dict.fromkeys(every, question.threshold)
        if question.margin and any(every[key] > limits[key] for key in every):
            try:
                rounding = reference.rounding(material)
            except FAILURES as error:
                return result("failed", f"the reference: {error}")
            for key in every:
                of_part = rounding.get(key.partition("/")[0], 0.0)
                limits[key] = max(question.threshold, question.margin * of_part)
        return _judge(result("same", None), every, limits, task.model)

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
        cost_seconds=cost.parity(task, lane),
        do=do,
    )


def _judge(same: ParityResult, every: Errors, limits: Errors, model: ModelSpec) -> ParityResult:
    location = locate(every, model, limits)
    key = max(every, key=lambda name: every[name] / limits[name])
    error, limit = every[key], limits[key]
    changes: dict[str, object] = {
        "error": error if isfinite(error) else None,
        "errors": {name: value for name, value in worst(every).items() if isfinite(value)},
        "threshold": limit,
        "location": location,
    }
    if location is not None:
        what = f"{error:.1e}, more than {limit:.1e}" if isfinite(error) else "not finite"
        changes["verdict"] = "different"
        changes["reason"] = f"{location.kind} {location.path}; the worst error, of {key}, is {what}"
    return same.model_copy(update=changes)
