"""Where a difference comes from, and what may have been done there in place of the right thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.material import Material
from suite.parity import alone, drills, evaluation, hidden
from suite.parity.alone import Fault
from suite.parity.compare import only, relative, repeated
from suite.parity.confusions import layers, losses, optimizers, statistics
from suite.parity.confusions.words import guess
from suite.parity.drills import Drill, Mistake
from suite.parity.ensemble import is_large
from suite.parity.evaluation import Evaluated
from suite.parity.findings import Arrays, Findings, read
from suite.parity.reference import Reference, ReferenceFailed
from suite.parity.situations import ORDINARY, Situation
from suite.parity.thresholds import ALONE, DRILLS, FUNCTION
from suite.parity.whole import TWICE, Sight
from suite.store.schema import Location
from tasks.spec import BatchNorm, Layer, ModelSpec, Place, local

CLOSE = 1e-7  # a confusion that makes what the backend made
FLOAT32 = 1e-6  # what float32 arithmetic inside a float64 program leaves in a layer
AMPLIFIED = 1e-4  # and where situations make errors grow
CUT = "no gradient reaching it"
MOST_PATHS = 3  # that are named


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one backend made of a task in float64: of the whole, where ``sight`` is the first
    difference, of every layer alone, and of the drills. ``again`` has it do a layer alone once
    more, ``drill`` other drills, of a model's parameters.
    """

    material: Material
    found: Findings
    wanted: Findings
    sight: Sight | None
    layers: alone.Answers
    again: Callable[[Place, Situation], Arrays]
    drilled: drills.Answers
    drill: Callable[[dict[str, Drill], ModelSpec | None], drills.Answers]

    @property
    def model(self) -> ModelSpec:
        return self.material.task.model


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
    faults = alone.faults(model, evidence.layers, reference.alone(evidence.material))
    asked = drills.of(evidence.material.task)
    mistakes = drills.wrong(evidence.drilled, reference.drilled(asked), asked)
    found = _diagnosis(evidence, faults, mistakes, reference)
    if found is None:
        return None
    seen = evidence.sight.error if evidence.sight else 0.0
    mild = [seen <= FLOAT32, *(m.error <= AMPLIFIED for m in mistakes), *map(_mild, faults)]
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
    evidence: Evidence, faults: list[Fault], mistakes: list[Mistake], reference: Reference
) -> Diagnosis | None:
    """The first that tells where it is. The whole tells it for forward values. Where gradients are
    wrong it only shows how far behind the fault they are: there layers alone tell, and if all are
    right, it is the loss that gives them a wrong gradient. A training that goes elsewhere though
    updates are right is a layer's first, too.
    """
    sight = evidence.sight
    of_loss = [mistake for mistake in mistakes if mistake.drill.of_loss]
    of_update = [mistake for mistake in mistakes if not mistake.drill.of_loss]
    own = type(evidence.material.task.optimizer)
    of_update.sort(key=lambda mistake: not isinstance(mistake.drill.optimizer, own))
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
        return _of_value(whole, sight.found.loss, logits, targets, evidence.material)
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
    """How close to what a confusion makes is what was made, if it is that confusion."""
    return min(CLOSE, error / 10)


def _layer(evidence: Evidence, path: str) -> Layer | None:
    return next((place.layer for place in evidence.model.places() if place.path == path), None)


def _of_layer(
    evidence: Evidence, location: Location, fault: Fault, reference: Reference
) -> Diagnosis:
    """A layer that is wrong alone: the confusion that makes its output, if there is one."""
    place, situation, key = fault.place, fault.situation, fault.key
    at = (place.path, situation.name)
    made = evidence.layers[at]
    found = Diagnosis(location=location, error=fault.error, threshold=ALONE)
    again = evidence.again(place, situation).get(key)
    if not repeated(again, made.get(key), ALONE):
        return found.unrepeatable()
    only_where = ""
    if fault.kinds and not set(fault.kinds) & set(ORDINARY):
        where = "with" if situation.valid is not None else "where the input is"
        only_where = f"only {where} {' or '.join(fault.kinds)}"
    if key != "output":
        right = reference.alone(evidence.material)[at][key]
        rows = only(made.get(key), right) if key.startswith("gradients/") else None
        if key.startswith("gradients/") and key in made and not made[key].any():
            found = found.by("gradient", CUT)
        return found.saying("the output is right, its gradient is not", only_where, rows)
    found = found.saying(only_where)
    given = layers.Given(
        layer=place.layer,
        parameters=local(read(evidence.material.probe), place.path),
        inputs=situation.inputs,
        valid=situation.valid,
    )
    for confusion in layers.confusions(given):
        try:
            misled = reference.supposing(confusion.given, situation.upstream)
        except ReferenceFailed:  # it cannot be computed, so that nobody did
            continue
        errors = alone.errors(made.get("output"), misled["output"], situation.axis)
        if max(errors) <= _close(fault.error):
            return found.by(confusion.word, confusion.words, confusion.field)
    return found


def _of_evaluation(
    evidence: Evidence, whole: Diagnosis, seen: Evaluated, wanted: Findings, reference: Reference
) -> Diagnosis:
    """A layer that is wrong in evaluation alone; all but batch norm do there what they do in
    training, and so do their confusions.
    """
    place, made, close = seen.place, seen.made, _close(whole.error)
    if isinstance(place.layer, BatchNorm):
        trained = wanted.capture[f"activations/{place.path}"].reshape(made.shape)
        same = relative(made, trained) <= close
        return whole.by("statistics", "the batch's statistics in evaluation too") if same else whole
    parameters = local(read(evidence.material.probe), place.path)
    given = layers.Given(
        layer=place.layer,
        parameters=parameters,
        inputs=seen.samples.inputs,
        valid=seen.samples.valid,
    )
    upstream = np.zeros((len(made), *place.output_shape))
    for confusion in layers.confusions(given):
        try:
            misled = reference.supposing(confusion.given, upstream)["output"]
        except ReferenceFailed:
            continue
        if misled.size == made.size and relative(made, misled.reshape(made.shape)) <= close:
            return whole.by(confusion.word, confusion.words, confusion.field)
    return whole


def _of_loss(evidence: Evidence, mistake: Mistake) -> Diagnosis:
    """The loss of hot logits, or its gradient."""
    location = Location(kind="loss", path="loss")
    found = Diagnosis(location=location, error=mistake.error, threshold=DRILLS)
    if mistake.key != "loss":
        return found.saying("its value is right, its gradient is not")
    made, targets = evidence.drilled[mistake.name], np.asarray(drills.batch().targets)
    logits = made["predictions/logits"]
    large = found.saying("only where logits are large")
    return _of_value(large, float(made["loss"]), logits, targets, evidence.material)


def _of_value(
    found: Diagnosis,
    value: float,
    logits: NDArray[Any],
    targets: NDArray[Any],
    material: Material,
) -> Diagnosis:
    """With the loss that has this value, if one is known."""
    sizes = {material.task.batch_size, material.task.timed_batch_size, drills.RECIPE}
    for word, words, loss in losses.confusions(sizes) if isfinite(value) else ():
        if abs(loss(logits, targets) - value) <= CLOSE * max(1.0, abs(value)):
            return found.by(word, words)
    return found


def _of_update(
    evidence: Evidence,
    location: Location,
    mistake: Mistake,
    reference: Reference,
    made: Arrays | None = None,
    model: ModelSpec | None = None,
) -> Diagnosis:
    """The confusion that makes a drill's updates; else the first of the optimizer's fields that
    goes wrong when it alone is switched on. The drill is of ``model``'s parameters.
    """
    made = evidence.drilled[mistake.name] if made is None else made
    found = Diagnosis(location=location, error=mistake.error, threshold=DRILLS)
    found = found.saying(f"in {mistake.name}, {mistake.key}")
    if model is None or not is_large(evidence.material.task):  # 40 rules of 3 million numbers
        given = (drills.start(model), drills.gradients(model))
        for confusion in optimizers.confusions(mistake.drill.optimizer):
            updates = drills.named(confusion.rule(*given))
            if max(drills.off(made.get(key), a) for key, a in updates.items()) <= _close(
                mistake.error
            ):
                return found.by(confusion.field, confusion.words, confusion.field)
    parts = drills.switched(mistake.drill.optimizer)
    switched, right = evidence.drill(parts, model), reference.drilled(parts, model=model)
    failing = drills.wrong(switched, right, parts)
    if not failing:
        return found
    name = failing[0].name
    off, every = drills.paths(switched[name], right[name])
    if name == "learning_rate" and not drills.proportional(switched[name], right[name]):
        return found  # with nothing but its rate it is another rule
    words = None
    if len(off) < len(every):
        more = f" and {len(off) - MOST_PATHS} more" if len(off) > MOST_PATHS else ""
        words = f"only of {', '.join(off[:MOST_PATHS])}{more}"
    located = found.location.model_copy(update={"field": name})
    return replace(found, location=located).saying(words)


def _of_own_update(
    evidence: Evidence, whole: Diagnosis, of_update: list[Mistake], reference: Reference
) -> Diagnosis:
    """The optimizer as the task has it, on the task's own parameters, which may be told apart by
    their names; where that is right, the drills.
    """
    task, model = evidence.material.task, evidence.model
    own = {"the task's own optimizer": Drill(optimizer=task.optimizer)}
    made, right = evidence.drill(own, model), reference.drilled(own, model=model)
    mistakes = drills.wrong(made, right, own)
    if mistakes:
        (name,) = own
        return _of_update(evidence, whole.location, mistakes[0], reference, made[name], model)
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
    for word, field, words, array in statistics.confusions(name, momentum, old, right, count):
        if drills.off(made, array) <= _close(whole.error):
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
        evidence.material, reference, sight, [*dark, path], _close(sight.error)
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
