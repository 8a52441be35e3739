"""Where a difference comes from, and what may have been done there in place of the right thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.inputs import TaskInputs
from suite.engine.remote import Arrays, read
from suite.parity import evaluation, hidden, layer_checks, optimizer_checks
from suite.parity.cases import ORDINARY, Case
from suite.parity.compare import only, relative, repeated
from suite.parity.ensemble import is_large
from suite.parity.evaluation import Evaluated
from suite.parity.findings import Findings
from suite.parity.known_mistakes import layers, losses, optimizers, statistics
from suite.parity.known_mistakes.words import guess
from suite.parity.layer_checks import Fault
from suite.parity.optimizer_checks import OptimizerCheck, WrongUpdate
from suite.parity.reference import Reference, ReferenceFailed
from suite.parity.thresholds import ALONE, CHECKS, FUNCTION
from suite.parity.whole import TWICE, Sight
from suite.records.schema import Location
from tasks.spec import BatchNorm, Layer, ModelSpec, Place, local

CLOSE = 1e-7  # a mistake that makes what the backend made
FLOAT32 = 1e-6  # what float32 arithmetic inside a float64 program leaves in a layer
AMPLIFIED = 1e-4  # and where cases make errors grow
CUT = "no gradient reaching it"
MOST_PATHS = 3  # that are named


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one backend made of a task in float64: of the whole, where ``sight`` is the first
    difference, of every layer alone, and of the optimizer checks. ``again`` has it do a layer alone
    once more, ``check`` other optimizer checks, of a model's parameters.
    """

    task_inputs: TaskInputs
    found: Findings
    wanted: Findings
    sight: Sight | None
    layers: layer_checks.Answers
    again: Callable[[Place, Case], Arrays]
    updates: optimizer_checks.Answers
    check: Callable[[dict[str, OptimizerCheck], ModelSpec | None], optimizer_checks.Answers]

    @property
    def model(self) -> ModelSpec:
        return self.task_inputs.task.model


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """The place, by how much it is off, of which threshold; the cause in words if there is one, and
    more words. ``rounding``: it is the same function, of which less is kept than float64 keeps.
    """

    location: Location
    error: float
    threshold: float
    cause: str | None = None
    words: tuple[str, ...] = ()
    rounding: bool = False

    def by(self, word: str, cause: str, field: str | None = None) -> Diagnosis:
        """The same with its cause."""
        location = self.location.model_copy(update={"field": field, "guess": guess(word, cause)})
        return replace(self, location=location, cause=cause)

    def unrepeatable(self) -> Diagnosis:
        """The same as what comes out otherwise every time: dropout, a state."""
        told = self if TWICE in self.words else self.saying(TWICE)
        return replace(told, location=told.by("unrepeatable", TWICE).location)

    def saying(self, *words: str | None) -> Diagnosis:
        """The same with more words."""
        return replace(self, words=(*self.words, *filter(None, words)))


def diagnose(evidence: Evidence, reference: Reference) -> Diagnosis | None:
    """What is wrong; None if nothing is. Raises ReferenceFailed."""
    model = evidence.model
    faults = layer_checks.faults(model, evidence.layers, reference.alone(evidence.task_inputs))
    asked = optimizer_checks.of(evidence.task_inputs.task)
    wrong_updates = optimizer_checks.wrong(evidence.updates, reference.updates(asked), asked)
    found = _diagnosis(evidence, faults, wrong_updates, reference)
    if found is None:
        return None
    seen = evidence.sight.error if evidence.sight else 0.0
    mild = [seen <= FLOAT32, *(m.error <= AMPLIFIED for m in wrong_updates), *map(_mild, faults)]
    # What a known mistake makes is a mistake, however small: a biased variance was 4e-7 off.
    if all(mild) and found.cause is None:
        return replace(found.saying("float32 somewhere in a float64 program"), rounding=True)
    return found


def _mild(fault: Fault) -> bool:
    """Is it no more than float32 leaves? What has grown in special samples must be there in
    ordinary ones too, where a cell that is clipped is exact.
    """
    grown = fault.error <= AMPLIFIED and fault.ordinary > ALONE
    return fault.ordinary <= FLOAT32 and (fault.error <= FLOAT32 or grown)


def _diagnosis(
    evidence: Evidence, faults: list[Fault], wrong_updates: list[WrongUpdate], reference: Reference
) -> Diagnosis | None:
    """The first that tells where it is. The whole tells it for forward values. Where gradients are
    wrong it only shows how far behind the fault they are: there layers alone tell, and if all are
    right, it is the loss that gives them a wrong gradient. A training that goes elsewhere though
    updates are right is a layer's first, too.
    """
    sight = evidence.sight
    of_loss = [wrong_update for wrong_update in wrong_updates if wrong_update.check.of_loss]
    of_update = [wrong_update for wrong_update in wrong_updates if not wrong_update.check.of_loss]
    own = type(evidence.task_inputs.task.optimizer)
    of_update.sort(key=lambda wrong_update: not isinstance(wrong_update.check.optimizer, own))
    silent = sight is None or sight.part in ("gradients", "input_gradients")
    silent = silent or (sight is not None and sight.part == "trained" and not of_update)
    if silent and faults:
        when = [w for w in sight.words if not w.startswith("only in")] if sight else []
        return _of_layer(evidence, faults[0].location, faults[0], reference).saying(*when)
    if silent and of_loss:
        return _of_loss(evidence, of_loss[0])
    if sight is None:
        anywhere = Location(kind="optimizer", path="optimizer")
        return _of_update(evidence, anywhere, of_update[0], reference) if of_update else None
    whole = Diagnosis(
        location=sight.location, error=sight.error, threshold=FUNCTION, words=sight.words
    )
    if TWICE in sight.words:
        return whole.unrepeatable()
    if sight.part == "loss":
        logits, targets = _logits(sight, evidence.model), sight.batch["targets"]
        return _of_value(whole, sight.found.loss, logits, targets, evidence.task_inputs)
    if sight.part in ("update", "trained") and sight.location.kind == "optimizer":
        return _of_own_update(evidence, whole, of_update, reference)
    if sight.part == "buffers":
        return _of_statistics(evidence, whole, sight)
    if sight.evaluated is not None:
        return _of_evaluation(evidence, whole, sight.evaluated, sight.wanted, reference)
    for fault in faults:
        if fault.place.layer == _layer(evidence, sight.location.path):
            return _of_layer(evidence, sight.location, fault, reference).saying(*sight.words)
    if sight.part == "gradients" and not np.any(sight.found.capture.get(sight.key, True)):
        return whole.by("gradient", CUT)
    if sight.part in ("activations", "predictions"):
        return _of_hidden(evidence, whole, sight, reference)
    return whole


def _close(error: float) -> float:
    """How close to what a mistake makes is what was made, if it is that mistake."""
    return min(CLOSE, error / 10)


def _layer(evidence: Evidence, path: str) -> Layer | None:
    return next((place.layer for place in evidence.model.places() if place.path == path), None)


def _of_layer(
    evidence: Evidence, location: Location, fault: Fault, reference: Reference
) -> Diagnosis:
    """A layer that is wrong alone: the mistake that makes its output, if there is one."""
    place, case, key = fault.place, fault.case, fault.key
    at = (place.path, case.name)
    made = evidence.layers[at]
    found = Diagnosis(location=location, error=fault.error, threshold=ALONE)
    again = evidence.again(place, case).get(key)
    if not repeated(again, made.get(key), ALONE):
        return found.unrepeatable()
    only_where = ""
    if fault.kinds and not set(fault.kinds) & set(ORDINARY):
        where = "with" if case.valid is not None else "where the input is"
        only_where = f"only {where} {' or '.join(fault.kinds)}"
    if key != "output":
        right = reference.alone(evidence.task_inputs)[at][key]
        rows = only(made.get(key), right) if key.startswith("gradients/") else None
        if key.startswith("gradients/") and key in made and not made[key].any():
            found = found.by("gradient", CUT)
        return found.saying("the output is right, its gradient is not", only_where, rows)
    found = found.saying(only_where)
    given = layers.Given(
        layer=place.layer,
        parameters=local(read(evidence.task_inputs.probe), place.path),
        inputs=case.inputs,
        valid=case.valid,
    )
    for mistake in layers.mistakes(given):
        try:
            misled = reference.supposing(mistake.given, case.upstream)
        except ReferenceFailed:  # it cannot be computed, so that nobody did
            continue
        errors = layer_checks.errors(made.get("output"), misled["output"], case.axis)
        if max(errors) <= _close(fault.error):
            return found.by(mistake.word, mistake.words, mistake.field)
    return found


def _of_evaluation(
    evidence: Evidence, whole: Diagnosis, seen: Evaluated, wanted: Findings, reference: Reference
) -> Diagnosis:
    """A layer that is wrong in evaluation alone; all but batch norm do there what they do in
    training, and so do their mistakes.
    """
    place, made, close = seen.place, seen.made, _close(whole.error)
    if isinstance(place.layer, BatchNorm):
        trained = wanted.capture[f"activations/{place.path}"].reshape(made.shape)
        same = relative(made, trained) <= close
        return whole.by("statistics", "the batch's statistics in evaluation too") if same else whole
    parameters = local(read(evidence.task_inputs.probe), place.path)
    given = layers.Given(
        layer=place.layer,
        parameters=parameters,
        inputs=seen.samples.inputs,
        valid=seen.samples.valid,
    )
    upstream = np.zeros((len(made), *place.output_shape))
    for mistake in layers.mistakes(given):
        try:
            misled = reference.supposing(mistake.given, upstream)["output"]
        except ReferenceFailed:
            continue
        if misled.size == made.size and relative(made, misled.reshape(made.shape)) <= close:
            return whole.by(mistake.word, mistake.words, mistake.field)
    return whole


def _of_loss(evidence: Evidence, wrong_update: WrongUpdate) -> Diagnosis:
    """The loss of hot logits, or its gradient."""
    location = Location(kind="loss", path="loss")
    found = Diagnosis(location=location, error=wrong_update.error, threshold=CHECKS)
    if wrong_update.key != "loss":
        return found.saying("its value is right, its gradient is not")
    made, targets = (
        evidence.updates[wrong_update.name],
        np.asarray(optimizer_checks.batch().targets),
    )
    logits = made["predictions/logits"]
    large = found.saying("only where logits are large")
    return _of_value(large, float(made["loss"]), logits, targets, evidence.task_inputs)


def _of_value(
    found: Diagnosis,
    value: float,
    logits: NDArray[Any],
    targets: NDArray[Any],
    task_inputs: TaskInputs,
) -> Diagnosis:
    """With the loss that has this value, if one is known."""
    sizes = {
        task_inputs.task.batch_size,
        task_inputs.task.timed_batch_size,
        optimizer_checks.RECIPE,
    }
    for word, words, loss in losses.mistakes(sizes) if isfinite(value) else ():
        if abs(loss(logits, targets) - value) <= CLOSE * max(1.0, abs(value)):
            return found.by(word, words)
    return found


def _of_update(
    evidence: Evidence,
    location: Location,
    wrong_update: WrongUpdate,
    reference: Reference,
    made: Arrays | None = None,
    model: ModelSpec | None = None,
) -> Diagnosis:
    """The mistake that makes a optimizer check's updates; else the first of the optimizer's fields
    that goes wrong when it alone is switched on. The optimizer check is of ``model``'s parameters.
    """
    made = evidence.updates[wrong_update.name] if made is None else made
    found = Diagnosis(location=location, error=wrong_update.error, threshold=CHECKS)
    found = found.saying(f"in {wrong_update.name}, {wrong_update.key}")
    if model is None or not is_large(evidence.task_inputs.task):  # 40 rules of 3 million numbers
        given = (optimizer_checks.start(model), optimizer_checks.gradients(model))
        for mistake in optimizers.mistakes(wrong_update.check.optimizer):
            updates = optimizer_checks.named(mistake.rule(*given))
            if max(optimizer_checks.off(made.get(key), a) for key, a in updates.items()) <= _close(
                wrong_update.error
            ):
                return found.by(mistake.field, mistake.words, mistake.field)
    parts = optimizer_checks.switched(wrong_update.check.optimizer)
    switched, right = evidence.check(parts, model), reference.updates(parts, model=model)
    failing = optimizer_checks.wrong(switched, right, parts)
    if not failing:
        return found
    name = failing[0].name
    off, every = optimizer_checks.paths(switched[name], right[name])
    if name == "learning_rate" and not optimizer_checks.proportional(switched[name], right[name]):
        return found  # with nothing but its rate it is another rule
    words = None
    if len(off) < len(every):
        more = f" and {len(off) - MOST_PATHS} more" if len(off) > MOST_PATHS else ""
        words = f"only of {', '.join(off[:MOST_PATHS])}{more}"
    located = found.location.model_copy(update={"field": name})
    return replace(found, location=located).saying(words)


def _of_own_update(
    evidence: Evidence, whole: Diagnosis, of_update: list[WrongUpdate], reference: Reference
) -> Diagnosis:
    """The optimizer as the task has it, on the task's own parameters, which may be told apart by
    their names; where that is right, the optimizer checks.
    """
    task, model = evidence.task_inputs.task, evidence.model
    own = {"the task's own optimizer": OptimizerCheck(optimizer=task.optimizer)}
    made, right = evidence.check(own, model), reference.updates(own, model=model)
    wrong_updates = optimizer_checks.wrong(made, right, own)
    if wrong_updates:
        (name,) = own
        return _of_update(evidence, whole.location, wrong_updates[0], reference, made[name], model)
    if of_update:
        return _of_update(evidence, whole.location, of_update[0], reference)
    return whole


def _of_statistics(evidence: Evidence, whole: Diagnosis, sight: Sight) -> Diagnosis:
    owner, _, name = whole.location.path.rpartition(".")
    place = next(place for place in evidence.model.places() if place.path == owner)
    if not isinstance(place.layer, BatchNorm):
        return whole
    made, right = sight.found.capture.get(sight.key), sight.wanted.capture[sight.key]
    count = len(sight.batch["targets"]) * prod(place.input_shape[1:])
    old = read(sight.start).get(whole.location.path)
    if old is None:  # a training's first step; see tasks.parameters.initial_buffers
        old = np.full_like(right, place.layer.buffers()[name].centre)
    momentum = place.layer.momentum
    for word, field, words, array in statistics.mistakes(name, momentum, old, right, count):
        if optimizer_checks.off(made, array) <= _close(whole.error):
            return whole.by(word, words, field)
    return whole


def _of_hidden(
    evidence: Evidence, whole: Diagnosis, sight: Sight, reference: Reference
) -> Diagnosis:
    """A port of a whole model that shows little: the place may be any of what it does not show."""
    path = whole.location.path
    places = [place.path for place in evidence.model.places()]
    before = places[: places.index(path)] if sight.part == "activations" else places
    dark = [one for one in before if f"activations/{one}" not in sight.found.capture]
    if not dark or evaluation.ALONE in sight.words:
        return whole
    if len(dark) == len(before):
        told = "nothing before it was shown" if sight.part == "activations" else "nothing was shown"
    else:
        told = f"not shown before it: {', '.join(dark)}"
    whole = whole.saying(told)
    mistake = hidden.mistake(
        evidence.task_inputs, reference, sight, [*dark, path], _close(sight.error)
    )
    if mistake is None:
        return whole
    location = Location(kind="layer", path=mistake.paths[0])
    others = f"the same in {', '.join(mistake.paths[1:])}" if mistake.paths[1:] else None
    return (
        replace(whole, location=location)
        .by(mistake.word, mistake.words, mistake.field)
        .saying(others)
    )


def _logits(sight: Sight, model: ModelSpec) -> NDArray[Any]:
    return sight.wanted.capture[f"activations/{model.places()[-1].path}"]
