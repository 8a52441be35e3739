"""Is it the same function? Asked in float64, where correct arithmetic stays orders of magnitude
below the smallest realistic mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

from suite.parity import alone, drills, whole
from suite.parity.compare import Errors, judged, labelled, unseen, worst
from suite.parity.diagnosis import Diagnosis, Evidence, diagnose
from suite.parity.findings import Arrays, Findings, examine, train
from suite.parity.inquiry import Inquiry, all_finite, finite, named, told
from suite.parity.situations import Situation
from suite.parity.thresholds import FUNCTION
from suite.parity.trajectory import steps
from suite.parity.whole import Look, Sight
from suite.store.schema import ParityResult
from tasks.spec import Place


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
    measured, differences = whole.looks(found, wanted), inquiry.differences()
    label = labelled(measured[0].errors, differences)
    looks = [replace(look, errors=judged(look.errors, differences)) for look in measured]
    sight = whole.sight(inquiry, looks)
    answer = _labelled(_judged(inquiry, looks, sight), label)
    if drilled is None:
        return answer
    evidence = _evidence(inquiry, found, wanted, sight, drilled())
    reference, model = inquiry.reference, material.task.model
    layers = alone.worst(model, evidence.layers, reference.alone(material))
    asked = drills.worst(evidence.drilled, reference.drilled(drills.of(material.task)))
    beside = all_finite({"alone": layers, "drills": asked})
    answer = answer.model_copy(update={"errors": answer.errors | beside})
    return _diagnosed(_gaps(answer, evidence), diagnose(evidence, reference))


def _evidence(
    inquiry: Inquiry,
    found: Findings,
    wanted: Findings,
    sight: Sight | None,
    drilled: drills.Answers,
) -> Evidence:
    crew, lane, files, material = inquiry.crew, inquiry.lane, inquiry.files, inquiry.material

    def again(place: Place, situation: Situation) -> Arrays:
        return alone.answer(crew, lane, material, files, place, situation)

    return Evidence(
        material=material,
        found=found,
        wanted=wanted,
        sight=sight,
        layers=alone.answers(crew, lane, material, files),
        again=again,
        drilled=drilled,
        drill=lambda asked, model: drills.answers(crew, lane, files, asked, model),
    )


def _judged(inquiry: Inquiry, looks: Sequence[Look], sight: Sight | None) -> ParityResult:
    """The verdict on the whole."""
    parts: Errors = {}
    for look in looks:
        parts |= {part: max(e, parts.get(part, 0.0)) for part, e in worst(look.errors).items()}
    error, key = max((e, key) for look in looks for key, e in look.errors.items())
    same = inquiry.result(
        "function", error=finite(error), errors=all_finite(parts), threshold=FUNCTION
    )
    if sight is None:
        return same
    where = ", ".join((named(sight.location), *sight.words))
    what = told(error) if isfinite(error) else "not finite"
    reason = f"{where}; the worst error, of {key}, is {what}"
    return same.model_copy(
        update={"verdict": "different", "location": sight.location, "reason": reason}
    )


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
    """The same with what else was found out; the error and the threshold are those of the look that
    tells it.
    """
    if diagnosis is None:
        return answer
    location = diagnosis.location
    words = [named(location), f"off by {told(diagnosis.error)}", *diagnosis.words]
    words += [f"consistent with {diagnosis.cause}"] if diagnosis.cause else []
    return answer.model_copy(
        update={
            "verdict": "precision_loss" if diagnosis.rounding else "different",
            "location": location,
            "error": finite(diagnosis.error),
            "threshold": diagnosis.threshold,
            "reason": ", ".join(words),
        }
    )
