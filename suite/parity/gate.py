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
from suite.parity import alone, drills
from suite.parity.compare import Errors, errors, first, worst
from suite.parity.diagnosis import Diagnosis, Evidence, diagnose
from suite.parity.findings import examine
from suite.parity.reference import Reference
from suite.plan import Lane
from suite.store.schema import FailureRecord, Location, ParityRecord, ParityResult
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
    lanes: Sequence[Lane],
    materials: Sequence[Material],
    reference: Reference,
    files: Path,
    thorough: bool = False,
) -> tuple[Track, ...]:
    """A track per lane, a unit per task. ``thorough`` looks beyond the task's own data and recipe:
    at every layer alone, and at the drills.
    """
    return tuple(
        Track(
            suffix=f"parity-{lane.execution}-{lane.precision}",
            units=tuple(map(_Inquiry(lane, reference, files, thorough).unit, materials)),
        )
        for lane in lanes
    )


class _Inquiry:
    """What is asked of one lane, task by task."""

    def __init__(self, lane: Lane, reference: Reference, files: Path, thorough: bool) -> None:
        self.lane, self.reference, self.files = lane, reference, files
        self.question = QUESTIONS[lane.precision]
        self.thorough = thorough and self.question.name == "function"
        self.drilled: drills.Answers | None = None  # the same for all tasks

    def unit(self, material: Material) -> Unit:
        """The question about one task, as work."""
        task, lane = material.task, self.lane

        def do(crew: Crew, sink: Sink) -> None:
            answer = self._ask(crew, material)
            sink.emit(ParityRecord, result=answer)
            if answer.verdict == "failed":
                sink.emit(
                    FailureRecord,
                    stage="parity",
                    status="failed",
                    reason=answer.reason or "",
                    task=task.name,
                    backend=lane.arm.name,
                    execution=lane.execution,
                )

        return Unit(
            name=f"parity/{task.name}/{lane.arm.name}/{lane.execution}/{lane.precision}",
            what=f"parity of {task.name}, {lane.arm.name} {lane.execution} in {lane.precision}",
            cost_seconds=cost.parity(task, lane, self.thorough),
            do=do,
        )

    def _ask(self, crew: Crew, material: Material) -> ParityResult:
        same = ParityResult(
            task=material.task.name,
            backend=self.lane.arm.name,
            execution=self.lane.execution,
            device=self.lane.device,
            precision=self.lane.precision,
            question=self.question.name,
            verdict="same",
            threshold=self.question.threshold,
        )
        if self.lane.refused is not None:
            status, reason = self.lane.refused
            refused = "not_available" if status == "not_available" else "not_supported"
            return same.model_copy(update={"verdict": refused, "reason": reason})
        try:
            wanted = self.reference.findings(material)
        except FAILURES as error:
            return _failed(same, f"the reference: {error}")
        try:
            found = examine(crew, self.lane, material, self.files, wanted.file)
            layers = self._layers(crew, material) if self.thorough else None
        except FAILURES as error:
            crew.lose(self.lane)
            if status_of(error) == "not_supported":
                return same.model_copy(update={"verdict": "not_supported", "reason": str(error)})
            return _failed(same, str(error))
        every = errors(found, wanted, self.question.parts)
        try:
            limits = self._limits(every, material)
            judged = _judged(same, every, limits, material.task.model)
            if layers is None:
                return judged
            at = first(every, material.task.model, limits)
            evidence = Evidence(
                material=material,
                found=found,
                wanted=wanted,
                key=at and at[0],
                location=at and at[1],
                error=every[at[0]] if at else 0.0,
                layers=layers,
                drilled=self.drilled or {},
                drill=lambda asked: drills.answers(crew, self.lane, self.files, asked),
            )
            return _diagnosed(_gaps(judged, evidence), diagnose(evidence, self.reference))
        except FAILURES as error:
            return _failed(same, f"the diagnosis: {error}")

    def _layers(self, crew: Crew, material: Material) -> alone.Answers:
        if self.drilled is None:
            self.drilled = drills.answers(crew, self.lane, self.files)
        return alone.answers(crew, self.lane, material, self.files)

    def _limits(self, every: Errors, material: Material) -> Errors:
        threshold, margin = self.question.threshold, self.question.margin
        if not margin or all(error <= threshold for error in every.values()):
            return dict.fromkeys(every, threshold)
        rounding = self.reference.rounding(material)
        return {
            key: max(threshold, margin * rounding.get(key.partition("/")[0], 0.0)) for key in every
        }


def _failed(same: ParityResult, reason: str) -> ParityResult:
    return same.model_copy(update={"verdict": "failed", "reason": reason})


def _judged(same: ParityResult, every: Errors, limits: Errors, model: ModelSpec) -> ParityResult:
    """The verdict on the whole."""
    at = first(every, model, limits)
    key = max(every, key=lambda name: every[name] / limits[name])
    error, limit = every[key], limits[key]
    changes: dict[str, object] = {
        "error": _finite(error),
        "errors": {name: value for name, value in worst(every).items() if isfinite(value)},
        "threshold": limit,
        "location": at and at[1],
    }
    if at is not None:
        what = f"{error:.1e}, more than {limit:.1e}" if isfinite(error) else "not finite"
        changes["verdict"] = "different"
        changes["reason"] = f"{_named(at[1])}; the worst error, of {key}, is {what}"
    return same.model_copy(update=changes)


def _gaps(judged: ParityResult, evidence: Evidence) -> ParityResult:
    """The same, with what the backend does not support among the layers alone and the drills."""
    gaps = [
        f"{place.path} with {situation.name}"
        for place, situation in alone.asked(evidence.material.task.model)
        if (place.path, situation.name) not in evidence.layers
    ]
    gaps += [name for name in drills.DRILLS if name not in evidence.drilled]
    if not gaps or judged.reason is not None:
        return judged
    reason = f"not supported, so not looked at: {', '.join(gaps)}"
    return judged.model_copy(update={"reason": reason})


def _diagnosed(judged: ParityResult, diagnosis: Diagnosis | None) -> ParityResult:
    """The same with what else was found out."""
    if diagnosis is None:
        return judged
    location = diagnosis.location
    words = [_named(location), f"off by {_words(diagnosis.error)}", diagnosis.words]
    words += [location.guess or ""]
    return judged.model_copy(
        update={
            "verdict": "precision_loss" if diagnosis.rounding else "different",
            "location": location,
            "error": max(judged.error or 0.0, diagnosis.error)
            if isfinite(diagnosis.error)
            else None,
            "reason": ", ".join(word for word in words if word),
        }
    )


def _named(location: Location) -> str:
    """``layer conv1``, ``loss``, ``optimizer fc.weight, field epsilon``."""
    name = location.kind if location.kind == location.path else f"{location.kind} {location.path}"
    return name if location.field is None else f"{name}, field {location.field}"


def _words(error: float) -> str:
    return f"{error:.1e}" if isfinite(error) else "more than can be told"


def _finite(error: float) -> float | None:
    return error if isfinite(error) else None
