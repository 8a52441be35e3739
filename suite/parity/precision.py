"""Is it the same precision? The errors of a program in its own precision, in units of what correct
arithmetic of that precision makes of the same values.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.remote import Arrays, RemoteProgram, read, rounded
from suite.parity import evaluation, optimizer_checks
from suite.parity.branch_flips import sources, without_flips
from suite.parity.compare import Errors, errors, first, judged, relative, worst
from suite.parity.ensemble import UNITS
from suite.parity.findings import Findings, look_inside
from suite.parity.inquiry import Inquiry, all_finite, finite, named
from suite.parity.known_mistakes import optimizers, precisions
from suite.parity.known_mistakes.layers import Given
from suite.parity.known_mistakes.words import guess
from suite.parity.thresholds import PRECISION
from suite.parity.whole import samples
from suite.records.schema import Location, ParityResult, ParityVerdict
from tasks.parameters import uniform
from tasks.spec import ModelSpec, Optimizer, Place, Residual, local

PARTS = ("activations", "predictions", "loss", "gradients", "buffers")
MUCH_CLOSER = 0.3  # than the truth: what a confirmed cause leaves of an error
MORE = 0.1  # of the null ensemble's error; strict float32 has a thousandth of it or less


def ask(
    inquiry: Inquiry,
    function: Callable[[], ParityVerdict],
    updates: Callable[[], optimizer_checks.Answers] | None = None,
) -> ParityResult:
    """The verdict; ``function`` is asked whether it is the same function where less is kept than
    the precision allows, ``updates`` for what the backend makes of optimizer checks.PRECISE. Raises
    what Worker.call raises, and ReferenceFailed.
    """
    whole = _of_whole(inquiry, function)
    if updates is None or whole.verdict != "same":
        return whole
    return _with_optimizers(inquiry, whole, updates(), function)


def _of_whole(inquiry: Inquiry, function: Callable[[], ParityVerdict]) -> ParityResult:
    task_inputs, model = inquiry.task_inputs, inquiry.task_inputs.task.model
    precision = inquiry.configuration.precision
    wanted = inquiry.reference.findings(task_inputs)
    null = inquiry.reference.null(task_inputs, precision)
    found = look_inside(inquiry.backend, task_inputs)
    clean = every = judged(errors(found, wanted, PARTS), inquiry.differences())
    flip = None
    if precision == "float32":
        clean, flip = without_flips(every, model, found, wanted)
    ratios = null.ratios(clean)
    key = max(ratios, key=lambda name: ratios[name])
    same = inquiry.result(
        "precision",
        error=finite(ratios[key]),
        errors=all_finite(worst(ratios)),
        threshold=PRECISION[precision],
        digits=_digits(every, precision),
        reason=flip and f"rounding took another branch in {flip}: no gradient before it was judged",
    )
    if precision != "float32" and ratios[key] < MORE:
        more = f"more is kept than {precision} does: {ratios[key]:.1g} times its error at most"
        same = same.model_copy(update={"reason": more})
    at = first(ratios, model, dict.fromkeys(ratios, PRECISION[precision]))
    if at is None:
        return same
    location, kept = at[1], _digits({at[0]: every[at[0]]}, precision).get(at[0], 0.0)
    evaluated = at[0].startswith("predictions/")
    if evaluated:
        limit = PRECISION[precision] * UNITS[precision]
        one = evaluation.place(inquiry, wanted, samples(task_inputs, "probe"), limit)
        location = Location(kind="layer", path=one.place.path) if one else location
    words = [named(location), *([evaluation.ALONE] if evaluated else [])]
    words += [] if evaluated else [f"{kept:.1f} digits kept"]
    words += [f"{ratios[at[0]]:.0f} times the error of correct {precision} arithmetic"]
    told = precision == "float32" and not evaluated
    cause = _cause(inquiry, wanted, at[0]) if told else None
    lost = cause is not None or function() in ("same", "precision_loss")
    verdict: ParityVerdict = "precision_loss" if lost else "different"
    words += [f"consistent with {cause}"] if cause else []
    location = location.model_copy(update={"guess": cause and guess("precision", cause)})
    return same.model_copy(
        update={"verdict": verdict, "location": location, "reason": ", ".join(words)}
    )


def _with_optimizers(
    inquiry: Inquiry,
    whole: ParityResult,
    found: optimizer_checks.Answers,
    function: Callable[[], ParityVerdict],
) -> ParityResult:
    """The same with how much the optimizers keep, in units of what the reference keeps of them. An
    update's error depends on how large the parameter is beside it, so that the greatest is taken.
    """
    wanted = inquiry.reference.updates(optimizer_checks.PRECISE)
    coarse = inquiry.reference.updates(optimizer_checks.PRECISE, coarsely=True)
    units = {
        name: max(optimizer_checks.worst({name: coarse[name]}, wanted), UNITS["float32"])
        for name in found
    }
    off = {
        name: optimizer_checks.worst({name: mine}, wanted) / units[name]
        for name, mine in found.items()
    }
    if not off:
        return whole
    name = max(off, key=lambda name: off[name])
    whole = whole.model_copy(update={"errors": whole.errors | all_finite({"drills": off[name]})})
    allowed = PRECISION["float32"]  # which optimizers keep in every precision
    words = f"optimizer, {off[name]:.0f} times the error of correct arithmetic in {name}"
    optimizer, slack = optimizer_checks.PRECISE[name].optimizer, allowed * units[name]
    narrow = off[name] > allowed and _narrow(found[name], optimizer, wanted[name], slack)
    if narrow:
        words = f"{words}, consistent with {narrow}, as correct programs do: not judged"
        told = "; ".join(filter(None, (whole.reason, words)))
        return whole.model_copy(update={"reason": told})
    if off[name] / allowed > (whole.error or 0.0) / PRECISION[whole.precision]:
        whole = whole.model_copy(update={"error": finite(off[name]), "threshold": allowed})
    if off[name] <= allowed:
        return whole
    lost = function() in ("same", "precision_loss")
    verdict: ParityVerdict = "precision_loss" if lost else "different"
    location = Location(kind="optimizer", path="optimizer")
    return whole.model_copy(update={"verdict": verdict, "location": location, "reason": words})


def _narrow(made: Arrays, optimizer: Optimizer, right: Arrays, slack: float) -> str | None:
    """What correct programs, too, keep less of: if it makes the first step, and no step is further
    off than it can be. Later steps round in ways that cannot be told in advance.
    """
    for mistake in optimizers.narrowed(optimizer):
        misled = optimizer_checks.named(
            mistake.rule(optimizer_checks.start(), optimizer_checks.gradients())
        )
        close = (
            optimizer_checks.off(made.get(key), misled[key])
            < MUCH_CLOSER * optimizer_checks.off(made.get(key), array)
            if (step := optimizer_checks.step(key)) == 1
            else optimizer_checks.off(made.get(key), array) < mistake.most(step) + slack
            for key, array in right.items()
        )
        if all(close):
            return mistake.words
    return None


def _cause(inquiry: Inquiry, wanted: Findings, key: str) -> str | None:
    """Why less is kept in the layer where it shows first, if that can be told: the layer alone,
    given what it is given in the whole, against the reference with narrower operands.
    """
    part, _, path = key.partition("/")
    place = _place(inquiry.task_inputs.task.model, path)
    if place is None:
        return None
    given = _given(inquiry, wanted, place)
    upstream = rounded(uniform(0, "upstream", wanted.capture[f"activations/{place.path}"].shape))
    try:
        made = _alone(inquiry, place, given, upstream)
    except NotSupported:  # a whole model of one's own has no layers to be looked at alone
        return None
    name = "output" if part != "gradients" else f"gradients/{path.removeprefix(place.path + '.')}"
    right = inquiry.reference.supposing(given, upstream)[name]
    off = relative(made.get(name), right)
    for words, other in precisions.mistakes(given):
        misled = inquiry.reference.supposing(other, upstream)[name]
        if relative(made.get(name), misled) < MUCH_CLOSER * off:
            return words
    return None


def _place(model: ModelSpec, path: str) -> Place | None:
    """The plain layer at this path, or of this parameter or buffer."""
    for place in model.places():
        here = path == place.path or path.startswith(f"{place.path}.")
        if here and not isinstance(place.layer, Residual):
            return place
    return None


def _given(inquiry: Inquiry, wanted: Findings, place: Place) -> Given:
    """What the layer computes with in the whole."""
    source = sources(inquiry.task_inputs.task.model)[place.path]
    data = read(inquiry.task_inputs.data)
    inputs = wanted.capture[f"activations/{source}"] if source else data["probe.inputs"]
    if not np.issubdtype(inputs.dtype, np.integer):
        inputs = rounded(inputs)
    return Given(
        layer=place.layer,
        parameters=local(read(inquiry.task_inputs.probe), place.path),
        inputs=inputs,
        valid=data.get("probe.valid"),
    )


def _alone(inquiry: Inquiry, place: Place, given: Given, upstream: NDArray[Any]) -> Arrays:
    built = inquiry.backend.start(inquiry.task_inputs, inquiry.task_inputs.probe)
    program = RemoteProgram(inquiry.backend, built)
    return program.layer(place.path, given.inputs, upstream, given.valid)


def _digits(every: Errors, precision: str) -> dict[str, float]:
    """The decimal digits that are kept of activations and gradients."""
    most = -log10(UNITS[precision])
    return {
        key: round(min(most, max(0.0, -log10(error))) if error else most, 2)
        for key, error in every.items()
        if key.startswith(("activations/", "gradients/"))
    }
