"""Is it the same function? Asked in float64, where correct arithmetic stays orders of magnitude
below the smallest realistic mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import isfinite

from suite.parity import layer_checks, optimizer_checks, whole
from suite.parity.compare import Errors, judged, labelled, unseen, worst
from suite.parity.diagnosis import Diagnosis, Evidence, diagnose
from suite.parity.findings import Findings, examine, train
from suite.parity.inquiry import Inquiry, all_finite, finite, named, told
from suite.parity.thresholds import FUNCTION
from suite.parity.trajectory import steps
from suite.parity.whole import Look, Sight
from suite.records.schema import ParityResult


def ask(inquiry: Inquiry, updates: Callable[[], optimizer_checks.Answers] | None) -> ParityResult:
    """The whole; and if ``updates`` gives what the backend makes of the optimizer checks, every
    layer alone too, with a diagnosis. Raises what Worker.call raises, and ReferenceFailed.
    """
    task_inputs = inquiry.task_inputs
    wanted, last = inquiry.reference.findings(task_inputs), steps(task_inputs.task)
    found = examine(inquiry.backend, task_inputs, wanted.file)
    (trained,) = train(inquiry.backend, task_inputs, task_inputs.initial, [last])
    found = replace(found, trained=trained)
    measured, differences = whole.looks(found, wanted), inquiry.differences()
    label = labelled(measured[0].errors, differences)
    looks = [replace(look, errors=judged(look.errors, differences)) for look in measured]
    sight = whole.sight(inquiry, looks)
    answer = _labelled(_judged(inquiry, looks, sight), label)
    if updates is None:
        return answer
    evidence = _evidence(inquiry, found, wanted, sight, updates())
    reference, model = inquiry.reference, task_inputs.task.model
    layers = layer_checks.worst(model, evidence.layers, reference.alone(task_inputs))
    asked = optimizer_checks.worst(
        evidence.updates, reference.updates(optimizer_checks.of(task_inputs.task))
    )
    beside = all_finite({"alone": layers, "drills": asked})
    answer = answer.model_copy(update={"errors": answer.errors | beside})
    return _diagnosed(_gaps(answer, evidence), diagnose(evidence, reference))


def _evidence(
    inquiry: Inquiry,
    found: Findings,
    wanted: Findings,
    sight: Sight | None,
    updates: optimizer_checks.Answers,
) -> Evidence:
    backend, task_inputs = inquiry.backend, inquiry.task_inputs
    return Evidence(
        task_inputs=task_inputs,
        found=found,
        wanted=wanted,
        sight=sight,
        layers=layer_checks.answers(backend, task_inputs),
        again=partial(layer_checks.answer, backend, task_inputs),
        updates=updates,
        check=partial(optimizer_checks.answers, backend),
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
    layers alone and the optimizer checks, and what it does not show of its inner values.
    """
    hidden = [
        key.removeprefix("activations/")
        for key in unseen(evidence.found, evidence.wanted)
        if key.startswith("activations/")
    ]
    gaps = [f"the activations of {', '.join(hidden)}"] if hidden else []
    gaps += [
        f"{place.path} with {case.name}"
        for place, case in layer_checks.asked(evidence.task_inputs.task.model)
        if (place.path, case.name) not in evidence.layers
    ]
    gaps += [
        name
        for name in optimizer_checks.of(evidence.task_inputs.task)
        if name not in evidence.updates
    ]
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
