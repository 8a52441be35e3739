"""Is it the same function? Asked in float64, where correct arithmetic stays orders of magnitude
below the smallest realistic mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isfinite

from suite.parity import alone, drills
from suite.parity.compare import Errors, errors, first, judged, labelled, unseen, worst
from suite.parity.diagnosis import Diagnosis, Evidence, diagnose
from suite.parity.findings import Findings, examine, train
from suite.parity.inquiry import Inquiry, all_finite, finite, named, told
from suite.parity.thresholds import FUNCTION
from suite.parity.trajectory import steps
from suite.store.schema import ParityResult

PARTS = (
    *("activations", "predictions", "loss", "gradients", "buffers"),
    *("input_gradients", "update", "trained"),
)


def ask(inquiry: Inquiry, drilled: Callable[[], drills.Answers] | None) -> ParityResult:
    """The whole; and if ``drilled`` gives what the backend makes of the drills, every layer alone
    too, with a diagnosis. Raises what Worker.call raises, and ReferenceFailed.
    """
    material = inquiry.material
    wanted = inquiry.reference.findings(material)
    worker = (inquiry.crew, inquiry.lane, material)
    found = examine(*worker, inquiry.files, wanted.file)
    (trained,) = train(*worker, material.initial, inquiry.files, [steps(material.task)])
    found = replace(found, trained=trained)
    measured, differences = errors(found, wanted, PARTS), inquiry.differences()
    every = judged(measured, differences)
    answer = _labelled(_judged(inquiry, every), labelled(measured, differences))
    if drilled is None:
        return answer
    evidence = _evidence(inquiry, found, wanted, every, drilled())
    reference, model = inquiry.reference, material.task.model
    looks = {
        "alone": alone.worst(model, evidence.layers, reference.alone(material)),
        "drills": drills.worst(evidence.drilled, reference.drilled(drills.of(material.task))),
    }
    answer = answer.model_copy(update={"errors": answer.errors | all_finite(looks)})
    return _diagnosed(_gaps(answer, evidence), diagnose(evidence, reference))


def _evidence(
    inquiry: Inquiry, found: Findings, wanted: Findings, every: Errors, drilled: drills.Answers
) -> Evidence:
    crew, lane, files, material = inquiry.crew, inquiry.lane, inquiry.files, inquiry.material
    at = first(every, material.task.model, dict.fromkeys(every, FUNCTION))
    return Evidence(
        material=material,
        found=found,
        wanted=wanted,
        key=at and at[0],
        location=at and at[1],
        error=every[at[0]] if at else 0.0,
        layers=alone.answers(crew, lane, material, files),
        drilled=drilled,
        drill=lambda asked: drills.answers(crew, lane, files, asked),
    )


def _judged(inquiry: Inquiry, every: Errors) -> ParityResult:
    """The verdict on the whole."""
    at = first(every, inquiry.material.task.model, dict.fromkeys(every, FUNCTION))
    key = max(every, key=lambda name: every[name])
    same = inquiry.result(
        "function",
        error=finite(every[key]),
        errors=all_finite(worst(every)),
        threshold=FUNCTION,
    )
    if at is None:
        return same
    what = f"{every[key]:.1e}" if isfinite(every[key]) else "not finite"
    reason = f"{named(at[1])}; the worst error, of {key}, is {what}"
    return same.model_copy(update={"verdict": "different", "location": at[1], "reason": reason})


def _labelled(answer: ParityResult, label: str | None) -> ParityResult:
    """The same, with what was not judged."""
    told = "; ".join(filter(None, (answer.reason, label)))
    return answer.model_copy(update={"reason": told or None})


def _gaps(answer: ParityResult, evidence: Evidence) -> ParityResult:
    """The same, with what could not be looked at: what the backend does not support among the
    layers alone and the drills, and what it does not show of its inner values.
    """
    hidden = [
        key.removeprefix("activations/")
        for key in unseen(evidence.found, evidence.wanted)
        if key.startswith("activations/")
    ]
    gaps = [f"the activations of {', '.join(hidden)}"] if hidden else []
    gaps += [
        f"{place.path} with {situation.name}"
        for place, situation in alone.asked(evidence.material.task.model)
        if (place.path, situation.name) not in evidence.layers
    ]
    gaps += [name for name in drills.of(evidence.material.task) if name not in evidence.drilled]
    if not gaps or answer.verdict != "same":
        return answer
    told = f"not shown or not supported, so not looked at: {', '.join(gaps)}"
    return _labelled(answer, told)


def _diagnosed(answer: ParityResult, diagnosis: Diagnosis | None) -> ParityResult:
    """The same with what else was found out."""
    if diagnosis is None:
        return answer
    location = diagnosis.location
    words = [named(location), f"off by {told(diagnosis.error)}", diagnosis.words]
    words += [location.guess or ""]
    error = max(answer.error or 0.0, diagnosis.error)
    return answer.model_copy(
        update={
            "verdict": "precision_loss" if diagnosis.rounding else "different",
            "location": location,
            "error": finite(error),
            "reason": ", ".join(word for word in words if word),
        }
    )
