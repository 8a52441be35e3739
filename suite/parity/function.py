"""Is it the same function? Asked in float64, where correct arithmetic stays orders of magnitude
below the smallest realistic mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite

from suite.parity import cases, ensemble, findings, optimizer_checks, thresholds, whole
from suite.parity.compare import judged, labelled, unseen, worst
from suite.parity.diagnosis import Diagnosis, Evidence, diagnose
from suite.parity.inquiry import Inquiry, all_finite, finite, named, noted, told
from suite.records.schema import ParityResult

CHAOS = 100  # times what one rounding of each value makes of a training: a program makes many more


def ask(inquiry: Inquiry, updates: Callable[[], optimizer_checks.Answers] | None) -> ParityResult:
    """The whole; and if ``updates`` gives what the backend makes of the optimizer checks, every
    layer alone too, with a diagnosis. Raises what Worker.call raises, and ReferenceFailed.
    """
    task_inputs, reference, backend = inquiry.task_inputs, inquiry.reference, inquiry.backend
    wanted, last = reference.findings(task_inputs), ensemble.steps(task_inputs.task)
    found = findings.examine(backend, task_inputs, wanted.file)
    trained = findings.trained(backend, task_inputs, last)
    measured = whole.looks(task_inputs, replace(found, trained=trained), wanted)
    differences = inquiry.differences()
    looks = [replace(look, errors=judged(look.errors, differences)) for look in measured]
    looks[0], chaos = _without_chaos(inquiry, looks[0])
    sight = whole.sight(inquiry, looks)
    answer = _judged(inquiry, looks, sight)
    answer = noted(noted(answer, labelled(measured[0].errors, differences)), chaos)
    if updates is None:
        return answer
    evidence = Evidence(
        backend=backend,
        task_inputs=task_inputs,
        reference=reference,
        sight=sight,
        updates=updates(),
        layers=cases.answers(backend, task_inputs),
    )
    model, asked = evidence.model, optimizer_checks.of(task_inputs.task)
    beside = {
        "alone": cases.worst(model, evidence.layers, reference.alone(task_inputs)),
        "drills": optimizer_checks.worst(evidence.updates, reference.updates(asked)),
    }
    answer = answer.model_copy(update={"errors": answer.errors | all_finite(beside)})
    if answer.verdict == "same":
        answer = noted(answer, _gaps(evidence, unseen(found, wanted)))
    return _diagnosed(answer, diagnose(evidence))


def _without_chaos(inquiry: Inquiry, look: whole.Look) -> tuple[whole.Look, str | None]:
    """The look without what differs after its training no more than the reference's own trainings
    do, from a start moved by one unit in the last place; and what was left out, in words.
    """
    late = [k for k, e in look.errors.items() if e > thresholds.FUNCTION and _trained(k)]
    if not late:
        return look, None
    strays = inquiry.reference.strays(inquiry.task_inputs)
    left = {key for key in late if look.errors[key] <= CHAOS * strays[key]}
    if not left:
        return look, None
    most = told(max(strays[key] for key in left))
    return (
        replace(look, errors={k: e for k, e in look.errors.items() if k not in left}),
        f"its training is chaotic: rounding alone moves what it makes by {most}, not judged",
    )


def _trained(key: str) -> bool:
    return key.startswith("trained/")


def _judged(
    inquiry: Inquiry, looks: Sequence[whole.Look], sight: whole.Sight | None
) -> ParityResult:
    """The verdict on the whole."""
    error, key = max((e, key) for look in looks for key, e in look.errors.items())
    same = inquiry.result(
        "function",
        error=finite(error),
        errors=all_finite(worst(*(look.errors for look in looks))),
        threshold=thresholds.FUNCTION,
    )
    if sight is None:
        return same
    where = ", ".join((named(sight.location), *sight.words))
    what = told(error) if isfinite(error) else "not finite"
    reason = f"{where}; the worst error, of {key}, is {what}"
    return same.model_copy(
        update={"verdict": "different", "location": sight.location, "reason": reason}
    )


def _gaps(evidence: Evidence, dark: Sequence[str]) -> str | None:
    """What could not be looked at: what the backend does not support among the layers alone and the
    optimizer checks, and what it does not show of its inner values.
    """
    names = [key.partition("/")[2] for key in dark if key.startswith("activations/")]
    gaps = [f"the activations of {', '.join(names)}"] if names else []
    gaps += [
        f"{case.path} with {case.name}"
        for case in cases.chosen(evidence.model)
        if case.at not in evidence.layers
    ]
    asked = optimizer_checks.of(evidence.task_inputs.task)
    gaps += [name for name in asked if name not in evidence.updates]
    return f"not shown or not supported, so not looked at: {', '.join(gaps)}" if gaps else None


def _diagnosed(answer: ParityResult, diagnosis: Diagnosis | None) -> ParityResult:
    """The same with what else was found out; the error and the threshold are those of the look that
    tells it.
    """
    if diagnosis is None:
        return answer
    words = [named(diagnosis.location), f"off by {told(diagnosis.error)}", *diagnosis.words]
    words += [f"consistent with {diagnosis.cause}"] if diagnosis.cause else []
    return answer.model_copy(
        update={
            "verdict": "precision_loss" if diagnosis.rounding else "different",
            "location": diagnosis.location,
            "error": finite(diagnosis.error),
            "threshold": diagnosis.threshold,
            "reason": ", ".join(words),
        }
    )
