"""Is it the same precision? The errors of a program in its own precision, in units of what correct
arithmetic of that precision makes of the same values. And is it the same training? How far the
parameters go from the float64 reference's, in units of how far correct arithmetic goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log10

import numpy as np

from backends.base import PRECISIONS, NotSupported
from suite.engine.arrays import Arrays, read
from suite.engine.remote import RemoteProgram
from suite.parity import ensemble, findings, optimizer_checks
from suite.parity.compare import Errors, errors, first, judged, without_flips, worst
from suite.parity.inquiry import Inquiry, all_finite, finite, named, noted
from suite.parity.known_mistakes import layers, optimizers
from suite.parity.known_mistakes.words import guess
from suite.parity.layer_checks import relative, run
from suite.parity.reference import INSIDE
from suite.parity.thresholds import PRECISION, TRAINING
from suite.parity.whole import IN_EVALUATION, evaluated, in_whole, samples
from suite.records.schema import Location, ParityResult, ParityVerdict, Trajectory
from tasks.parameters import rounded, uniform
from tasks.spec import Residual

Function = Callable[[], ParityVerdict]  # asked whether it is the same function

MUCH_CLOSER = 0.3  # than the truth: what a confirmed cause leaves of an error
MORE = 0.1  # of the null ensemble's error; strict float32 has a thousandth of it or less


def ask(
    inquiry: Inquiry,
    function: Function,
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


def _of_whole(inquiry: Inquiry, function: Function) -> ParityResult:
    task_inputs, model = inquiry.task_inputs, inquiry.model
    precision = inquiry.configuration.precision
    allowed = PRECISION[precision]
    wanted = inquiry.reference.findings(task_inputs)
    null = inquiry.reference.null(task_inputs, precision)
    found = findings.look_inside(inquiry.backend, task_inputs)
    clean = every = judged(errors(found, wanted, INSIDE), inquiry.differences())
    flip = None
    if precision == "float32":
        clean, flip = without_flips(every, model, found, wanted)
    ratios = null.ratios(clean)
    most = max(ratios.values())
    same = inquiry.result(
        "precision",
        error=finite(most),
        errors=all_finite(worst(ratios)),
        threshold=allowed,
        digits=_digits(every, precision),
        reason=flip and f"rounding took another branch in {flip}: no gradient before it was judged",
    )
    if precision != "float32" and most < MORE:
        more = f"more is kept than {precision} does: {most:.1g} times its error at most"
        same = same.model_copy(update={"reason": more})
    at = first(ratios, model, allowed)
    if at is None:
        return same
    key, location = at
    words = f"{ratios[key]:.0f} times the error of correct {precision} arithmetic"
    cause = None
    if key.startswith("predictions/"):
        batch = samples(task_inputs, "probe")
        one = evaluated(inquiry, wanted, batch, allowed * PRECISIONS[precision].unit)
        location = Location(kind="layer", path=one[0].path) if one else location
        words = f"{named(location)}, {IN_EVALUATION}, {words}"
    else:
        kept = _digits({key: every[key]}, precision).get(key, 0.0)
        words = f"{named(location)}, {kept:.1f} digits kept, {words}"
        cause = _cause(inquiry, wanted, key) if precision == "float32" else None
    if cause:
        words = f"{words}, consistent with {cause}"
        location = location.model_copy(update={"guess": guess("precision", cause)})
    return _lost(same, location, words, (lambda: "same") if cause else function)


def _lost(answer: ParityResult, location: Location, words: str, function: Function) -> ParityResult:
    """Less is kept there, of the same function or of another one."""
    same = function() in ("same", "precision_loss")
    verdict: ParityVerdict = "precision_loss" if same else "different"
    return answer.model_copy(update={"verdict": verdict, "location": location, "reason": words})


def _with_optimizers(
    inquiry: Inquiry,
    whole: ParityResult,
    found: optimizer_checks.Answers,
    function: Function,
) -> ParityResult:
    """The same with how much the optimizers keep, in units of what the reference keeps of them. An
    update's error depends on how large the parameter is beside it, so that the greatest is taken.
    """
    if not found:
        return whole
    wanted = inquiry.reference.updates(optimizer_checks.PRECISE)
    coarse = inquiry.reference.updates(optimizer_checks.PRECISE, "float32")
    unit = max(optimizer_checks.worst(coarse, wanted), PRECISIONS["float32"].unit)
    off = optimizer_checks.worst(found, wanted) / unit
    whole = whole.model_copy(update={"errors": whole.errors | all_finite({"drills": off})})
    allowed = PRECISION["float32"]  # which optimizers keep in every precision
    ((name, made),) = found.items()
    words = f"optimizer, {off:.0f} times the error of correct arithmetic in {name}"
    if off > allowed and _narrow(made, name, wanted[name], allowed * unit):
        cause = f"consistent with {optimizers.NARROWED}, as correct programs do: not judged"
        return noted(whole, f"{words}, {cause}")
    if off / allowed > (whole.error or 0.0) / PRECISION[whole.precision]:
        whole = whole.model_copy(update={"error": finite(off), "threshold": allowed})
    if off <= allowed:
        return whole
    return _lost(whole, Location(kind="optimizer", path="optimizer"), words, function)


def _narrow(made: Arrays, name: str, right: Arrays, slack: float) -> bool:
    """Is it what correct programs, too, keep less of? If it makes the first step, and no step is
    further off than it can be. Later steps round in ways that cannot be told in advance.
    """
    optimizer = optimizer_checks.PRECISE[name]
    misled = optimizer_checks.ruled(optimizers.narrowed(optimizer))
    for key, array in right.items():
        off = optimizer_checks.off(made.get(key), array)
        step = int(key.partition("/")[0].removeprefix("step "))
        most = optimizers.most_narrowed(optimizer, step) + slack
        if step == 1:
            most, off = MUCH_CLOSER * off, optimizer_checks.off(made.get(key), misled[key])
        if not off < most:
            return False
    return True


def _cause(inquiry: Inquiry, wanted: findings.Findings, key: str) -> str | None:
    """Why less is kept in the layer where it shows first, if that can be told: the layer alone,
    given what it is given in the whole, against the reference with narrower operands.
    """
    part, _, path = key.partition("/")
    task_inputs, backend = inquiry.task_inputs, inquiry.backend
    owners = [
        place
        for place in inquiry.model.places()
        if f"{path}.".startswith(f"{place.path}.") and not isinstance(place.layer, Residual)
    ]
    if not owners:
        return None
    case = in_whole(inquiry, wanted, owners[0], samples(task_inputs, "probe"))
    upstream = rounded(uniform(0, "upstream", case.upstream.shape))
    case = replace(case, training=True, upstream=upstream)
    if not np.issubdtype(case.several[0].dtype, np.integer):
        case = case.given(rounded)
    try:
        program = RemoteProgram(backend, backend.start(task_inputs, task_inputs.probe))
        made = run(program, case)
    except NotSupported:  # a whole model of one's own has no layers to be looked at alone
        return None
    name = f"gradients/{path.removeprefix(f'{case.path}.')}" if part == "gradients" else "output"
    off = relative(made.get(name), inquiry.reference.supposing(case)[name])
    for mistake in layers.narrower(case):
        misled = inquiry.reference.supposing(mistake.instead)[name]
        if relative(made.get(name), misled) < MUCH_CLOSER * off:
            return mistake.words
    return None


def _digits(every: Errors, precision: str) -> dict[str, float]:
    """The decimal digits that are kept of activations and gradients."""
    most = -log10(PRECISIONS[precision].unit)
    return {
        key: round(min(most, max(0.0, -log10(error))) if error else most, 2)
        for key, error in every.items()
        if key.startswith(("activations/", "gradients/"))
    }


def ask_training(inquiry: Inquiry) -> ParityResult:
    """Is it the same training? The verdict, on the steps before rounding grows to other trainings.
    Raises what Worker.call raises, and ReferenceFailed.
    """
    task_inputs, reference = inquiry.task_inputs, inquiry.reference
    task, steps = task_inputs.task, ensemble.checkpoints(task_inputs.task)
    wanted, null = reference.training(task_inputs), reference.course(task_inputs, "float32")
    found = findings.train(inquiry.backend, task_inputs, task_inputs.initial, steps)
    among = ensemble.moving(task, reference.findings(task_inputs))
    far = ensemble.distances(found, wanted, read(task_inputs.initial), among)
    judged = {
        step: mine / most
        for step, mine, most in zip(steps, far, null.distances, strict=True)
        if null.horizon is None or step < null.horizon
    }
    worst = max(judged.values(), default=0.0)
    same = inquiry.result(
        "training",
        batch_size=task.batch_size,
        error=finite(worst),
        threshold=TRAINING,
        trajectory=Trajectory(
            steps=steps,
            distances=[finite(distance) for distance in far],
            null=null.distances,
            horizon=null.horizon,
        ),
    )
    left = [step for step, ratio in judged.items() if not ratio <= TRAINING]
    if not left:
        return same
    words = f"after step {left[0]} {judged[left[0]]:.0f} times as far from the float64 training as "
    return same.model_copy(
        update={
            "verdict": "different",
            "reason": f"{words}correct {inquiry.configuration.precision} arithmetic goes",
        }
    )
