"""Where a difference comes from, and what may have been done there in place of the right thing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.arrays import Arrays, read
from suite.engine.remote import RemoteProgram
from suite.parity import cases, ensemble, findings, layer_checks, optimizer_checks
from suite.parity.compare import only, repeated
from suite.parity.inquiry import Inquiry
from suite.parity.known_mistakes import layers, losses, optimizers
from suite.parity.known_mistakes.words import Mistake, guess
from suite.parity.layer_checks import ORDINARY, Case, relative
from suite.parity.loss_checks import LossCheck
from suite.parity.optimizer_checks import RECIPE, WrongUpdate, ruled
from suite.parity.reference import ReferenceFailed
from suite.parity.thresholds import ALONE, CHECKS, FUNCTION
from suite.parity.whole import IN_EVALUATION, TWICE, Evaluated, Sight, in_whole, masks
from suite.records.schema import Location
from tasks.base import Task
from tasks.spec import BatchNorm, Layer, ModelSpec, Optimizer, Residual, local
from tasks.spec.layer import SpecError

CLOSE = 1e-7  # a mistake that makes what the backend made
FLOAT32 = 1e-6  # what float32 arithmetic inside a float64 program leaves in a layer
AMPLIFIED = 1e-4  # and where cases make errors grow
CUT = "no gradient reaching it"
MOST_PATHS = 3  # that are named


@dataclass(frozen=True, kw_only=True)
class Evidence(Inquiry):
    """What the backend that is asked made of a task in float64: of the whole, where ``sight`` is
    the first difference, of every layer alone, and of the optimizer checks.
    """

    sight: Sight | None
    updates: optimizer_checks.Answers
    layers: cases.Answers


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

    def by_first(self, tries: Iterable[tuple[Mistake[Any], float]], close: float) -> Diagnosis:
        """The same with the first mistake that makes what was made, up to an error this close."""
        for mistake, error in tries:
            if error <= close:
                return self.by(mistake.word, mistake.words, mistake.field)
        return self

    def unrepeatable(self) -> Diagnosis:
        """The same as what comes out otherwise every time: dropout, a state."""
        told = self if TWICE in self.words else self.saying(TWICE)
        return replace(told, location=told.by("unrepeatable", TWICE).location)

    def saying(self, *words: str | None) -> Diagnosis:
        """The same with more words."""
        return replace(self, words=(*self.words, *filter(None, words)))


def diagnose(evidence: Evidence) -> Diagnosis | None:
    """What is wrong; None if nothing is. Raises ReferenceFailed."""
    task_inputs, reference, sight = evidence.task_inputs, evidence.reference, evidence.sight
    found = cases.faults(evidence.model, evidence.layers, reference.alone(task_inputs))
    asked = optimizer_checks.of(task_inputs.task)
    wrong_updates = optimizer_checks.wrong(evidence.updates, reference.updates(asked), asked)
    diagnosis = _diagnosis(evidence, found, wrong_updates)
    if diagnosis is None or diagnosis.cause is not None:
        # What a known mistake makes is a mistake, however small: a biased variance was 4e-7 off.
        return diagnosis
    mild = [sight is None or sight.error <= FLOAT32, *map(_mild, found)]
    if all([*mild, *(wrong_update.error <= AMPLIFIED for wrong_update in wrong_updates)]):
        told = diagnosis.saying("float32 somewhere in a float64 program")
        return replace(told, rounding=True)
    return diagnosis


def _mild(fault: cases.Fault) -> bool:
    """Is it no more than float32 leaves? What has grown in special samples must be there in
    ordinary ones too, where a cell that is clipped is exact.
    """
    grown = fault.error <= AMPLIFIED and fault.ordinary > ALONE
    return fault.ordinary <= FLOAT32 and (fault.error <= FLOAT32 or grown)


def _diagnosis(
    evidence: Evidence, found: list[cases.Fault], wrong_updates: list[WrongUpdate]
) -> Diagnosis | None:
    """The first that tells where it is. The whole tells it for forward values. Where gradients are
    wrong it only shows how far behind the fault they are: there layers alone tell, and if all are
    right, it is the loss that gives them a wrong gradient. A training that goes elsewhere though
    updates are right is a layer's first, too.
    """
    sight, own = evidence.sight, type(evidence.task_inputs.task.optimizer)
    of_loss = [each for each in wrong_updates if isinstance(each.check, LossCheck)]
    of_update = [each for each in wrong_updates if isinstance(each.check, Optimizer)]
    of_update.sort(key=lambda each: not isinstance(each.check, own))
    silent = sight is None or sight.part in ("gradients", "input_gradients")
    silent = silent or (sight is not None and sight.part == "trained" and not of_update)
    if silent and found:
        when = [w for w in sight.words if not w.startswith("only in")] if sight else []
        return _of_layer(evidence, found[0].location, found[0]).saying(*when)
    if silent and of_loss:
        return _of_loss(evidence, of_loss[0])
    if sight is None:
        anywhere = Location(kind="optimizer", path="optimizer")
        return _of_update(evidence, anywhere, of_update[0]) if of_update else None
    whole = Diagnosis(
        location=sight.location, error=sight.error, threshold=FUNCTION, words=sight.words
    )
    if TWICE in sight.words:
        return whole.unrepeatable()
    if sight.part == "loss":
        logits = sight.wanted.capture[f"activations/{evidence.model.places()[-1].path}"]
        last = evidence.model.places()[-1].path
        targets, valid = sight.batch["targets"], masks(evidence.model, sight.batch)[last]
        task = evidence.task_inputs.task
        return _of_value(whole, sight.found.loss, logits, targets, valid, task)
    if sight.part in ("update", "trained") and sight.location.kind == "optimizer":
        return _of_own_update(evidence, whole, of_update)
    if sight.part == "buffers":
        return _of_statistics(evidence, whole, sight)
    if sight.evaluated is not None:
        return _of_evaluation(evidence, whole, sight, sight.evaluated)
    at = {place.path: place.layer for place in evidence.model.places()}
    for fault in found:
        if fault.case.layer == at.get(sight.location.path):
            return _of_layer(evidence, sight.location, fault).saying(*sight.words)
    if sight.part == "gradients" and not np.any(sight.found.capture.get(sight.key, True)):
        return whole.by("gradient", CUT)
    swapped = _of_place(evidence, whole, sight)
    if swapped.cause is None and sight.part in ("activations", "predictions"):
        return _of_hidden(evidence, whole, sight)
    return swapped


def _close(error: float) -> float:
    """How close to what a mistake makes is what was made, if it is that mistake."""
    return min(CLOSE, error / 10)


def _of_layer(evidence: Evidence, location: Location, fault: cases.Fault) -> Diagnosis:
    """A layer that is wrong alone: the mistake that makes its output, if there is one."""
    case, key, task_inputs = fault.case, fault.key, evidence.task_inputs
    made, backend = evidence.layers[case.at], evidence.backend
    found = Diagnosis(location=location, error=fault.error, threshold=ALONE)
    again = layer_checks.run(RemoteProgram(backend, backend.started(task_inputs)), case)
    if not repeated(again.get(key), made.get(key), ALONE):
        return found.unrepeatable()
    only_where = None
    if fault.kinds and not set(fault.kinds) & set(ORDINARY):
        where = "with" if case.valid is not None else "where the input is"
        only_where = f"only {where} {' or '.join(fault.kinds)}"
    if key != "output":
        found = found.saying("the output is right, its gradient is not", only_where)
        if key.startswith("gradients/"):
            right = evidence.reference.alone(task_inputs)[case.at][key]
            found = found.saying(only(made.get(key), right))
            if key in made and _cut(made[key], right):
                found = found.by("gradient", CUT if not made[key].any() else f"{CUT} there")
        elif key in made and not made[key].any():
            found = found.by("gradient", CUT)
        return found
    parameters = evidence.model.with_ties(read(task_inputs.probe))
    given = replace(case, parameters=local(parameters, case.path))
    tries = (
        (mistake, max(layer_checks.errors(case, made, misled)[key].values()))
        for mistake, misled in evidence.reference.misled(given)
    )
    return found.saying(only_where).by_first(tries, _close(fault.error))


def _cut(made: NDArray[Any], right: NDArray[Any]) -> bool:
    """Does no gradient reach the rows that are off, or the whole?"""
    rows = np.abs(made - right).reshape(len(right), -1).max(axis=1)
    off = rows > FLOAT32 * rows.max()
    return made.shape == right.shape and not made[off].any()


def _of_evaluation(
    evidence: Evidence, whole: Diagnosis, sight: Sight, seen: Evaluated
) -> Diagnosis:
    """A layer that is wrong in evaluation alone; all but batch norm do there what they do in
    training, and so do their mistakes.
    """
    case, made = seen
    tries: Iterable[tuple[Mistake[Any], float]]
    if isinstance(case.layer, BatchNorm):
        trained = sight.wanted.capture[f"activations/{case.path}"].reshape(made.shape)
        words = "the batch's statistics in evaluation too"
        tries = [(Mistake("statistics", words, trained), relative(made, trained))]
    else:
        tries = (
            (mistake, relative(made, misled["output"]))
            for mistake, misled in evidence.reference.misled(case)
        )
    return whole.by_first(tries, _close(whole.error))


def _of_loss(evidence: Evidence, wrong_update: WrongUpdate) -> Diagnosis:
    """The loss in its own check, or its gradient."""
    check = wrong_update.check
    assert isinstance(check, LossCheck)
    location = Location(kind="loss", path="loss")
    found = Diagnosis(location=location, error=wrong_update.error, threshold=CHECKS)
    if wrong_update.key != "loss":
        return found.saying("its value is right, its gradient is not")
    made, batch = evidence.updates[wrong_update.name], check.batch
    found = found.saying(f"only in the check of {wrong_update.name}")
    logits, value = made["predictions/logits"], float(made["loss"])
    task = replace(evidence.task_inputs.task, loss=check.loss)
    return _of_value(found, value, logits, batch.targets, batch.valid, task)


def _of_value(
    found: Diagnosis,
    value: float,
    logits: NDArray[Any],
    targets: NDArray[Any],
    valid: NDArray[Any] | None,
    task: Task,
) -> Diagnosis:
    """With the loss that has this value, if one is known."""
    size, sizes = max(1.0, abs(value)), {task.batch_size, task.timed_batch_size, RECIPE}
    tries = (
        (mistake, abs(mistake.instead(logits, targets, valid) - value) / size)
        for mistake in losses.mistakes(task.loss, sizes)
        if isfinite(value)
    )
    return found.by_first(tries, CLOSE)


def _of_update(
    evidence: Evidence,
    location: Location,
    wrong_update: WrongUpdate,
    made: Arrays | None = None,
    model: ModelSpec | None = None,
) -> Diagnosis:
    """The mistake that makes a optimizer check's updates; else the first of the optimizer's fields
    that goes wrong when it alone is switched on. The optimizer check is of ``model``'s parameters.
    """
    name, optimizer = wrong_update.name, wrong_update.check
    assert isinstance(optimizer, Optimizer)
    made = evidence.updates[name] if made is None else made
    found = Diagnosis(location=location, error=wrong_update.error, threshold=CHECKS)
    found = found.saying(f"in {name}, {wrong_update.key}")
    # Of a large model it would be 40 rules of 3 million numbers.
    if model is None or not ensemble.is_large(evidence.task_inputs.task):
        tries = (
            (each, optimizer_checks.worst({name: made}, {name: ruled(each.instead, model)}))
            for each in optimizers.mistakes(optimizer)
        )
        caused = found.by_first(tries, _close(wrong_update.error))
        if caused.cause is not None:
            return caused
    parts = optimizer_checks.switched(optimizer)
    switched = optimizer_checks.answers(evidence.backend, parts, model)
    right = evidence.reference.updates(parts, model=model)
    failing = optimizer_checks.wrong(switched, right, parts)
    if not failing:
        return found
    field = failing[0].name
    off, every = optimizer_checks.paths(switched[field], right[field])
    if field == "learning_rate" and not optimizer_checks.proportional(
        switched[field], right[field]
    ):
        return found  # with nothing but its rate it is another rule
    words = None
    if len(off) < len(every):
        more = f" and {len(off) - MOST_PATHS} more" if len(off) > MOST_PATHS else ""
        words = f"only of {', '.join(off[:MOST_PATHS])}{more}"
    located = found.location.model_copy(update={"field": field})
    return replace(found, location=located).saying(words)


def _of_own_update(evidence: Evidence, whole: Diagnosis, of_update: list[WrongUpdate]) -> Diagnosis:
    """The optimizer as the task has it, on the task's own parameters, which may be told apart by
    their names; where that is right, the optimizer checks.
    """
    name, model = "the task's own optimizer", evidence.model
    own = {name: evidence.task_inputs.task.optimizer}
    made = optimizer_checks.answers(evidence.backend, own, model)
    wrong_updates = optimizer_checks.wrong(made, evidence.reference.updates(own, model=model), own)
    if wrong_updates:
        return _of_update(evidence, whole.location, wrong_updates[0], made[name], model)
    return _of_update(evidence, whole.location, of_update[0]) if of_update else whole


def _of_statistics(evidence: Evidence, whole: Diagnosis, sight: Sight) -> Diagnosis:
    path = whole.location.path
    owner, _, name = path.rpartition(".")
    place = next(place for place in evidence.model.places() if place.path == owner)
    if not isinstance(place.layer, BatchNorm):
        return whole
    made, right = sight.found.capture.get(sight.key), sight.wanted.capture[sight.key]
    count = len(sight.batch["targets"]) * prod(place.input_shape) // place.layer.channels
    if place.layer.over == "valid":
        valid = masks(evidence.model, sight.batch)[owner]
        count = count if valid is None else int(valid.sum())
    old = read(sight.start).get(path)
    if old is None:  # a training's first step; see tasks.parameters.initial_buffers
        old = np.full_like(right, place.layer.buffers()[name].centre)
    tries = (
        (mistake, optimizer_checks.off(made, mistake.instead))
        for mistake in layers.of_statistics(name, place.layer.momentum, old, right, count)
    )
    return whole.by_first(tries, _close(whole.error))


def _of_place(evidence: Evidence, whole: Diagnosis, sight: Sight) -> Diagnosis:
    """A layer that is right alone, but was given another one of the model's inputs, or its mask; or
    that is wrong at this place only, where another one like it is right.
    """
    path, model = whole.location.path, evidence.model
    place = next((one for one in model.places() if one.path == path), None)
    made = sight.found.capture.get(sight.key)
    plain = sight.part == "activations" and sight.start == evidence.task_inputs.probe
    if not plain or place is None or made is None or isinstance(place.layer, Residual):
        return whole
    right, reference = in_whole(evidence, sight.wanted, place, sight.batch), evidence.reference

    def tries() -> Iterator[tuple[Mistake[Any], float]]:
        for mistake in exchanged(model, sight.batch):
            case = in_whole(evidence, sight.wanted, place, mistake.instead)
            if not _alike(case, right):
                found = reference.supposing(case)["output"]
                yield mistake, relative(made.reshape(found.shape), found)
        if not ensemble.is_large(evidence.task_inputs.task):
            for known, misled in reference.misled(right):
                found = misled["output"]
                yield known, relative(made.reshape(found.shape), found)

    return whole.by_first(tries(), _close(whole.error))


def exchanged(model: ModelSpec, batch: Arrays) -> Iterator[Mistake[Arrays]]:
    """The batch with two named inputs of one kind in each other's place, or their masks."""
    for one, other in combinations(model.inputs, 2):
        for part, word in (("inputs", "inputs"), ("valid", "mask")):
            names = f"{part}.{one}", f"{part}.{other}"
            if model.inputs[one] == model.inputs[other] and {*names} <= {*batch}:
                swapped = batch | {
                    name: batch[source] for name, source in zip(names, names[::-1], strict=True)
                }
                what = "the values" if part == "inputs" else "the masks"
                yield Mistake(word, f"{what} of {one} and {other} exchanged", swapped)


def _alike(case: Case, other: Case) -> bool:
    """Is it given the same?"""
    masks = [
        each.valid if isinstance(each.valid, tuple) else (each.valid,) for each in (case, other)
    ]
    given = zip((*case.several, *masks[0]), (*other.several, *masks[1]), strict=True)
    return all(np.array_equal(one, two) for one, two in given)


def _of_hidden(evidence: Evidence, whole: Diagnosis, sight: Sight) -> Diagnosis:
    """A port of a whole model that shows little: the place may be any of what it does not show.
    Known mistakes are tried everywhere there. Large models are not tried, nor other samples than
    the probe's.
    """
    path, task_inputs = whole.location.path, evidence.task_inputs
    before = [place.path for place in evidence.model.places()]
    what = "nothing was shown"
    if sight.part == "activations":
        before, what = before[: before.index(path)], "nothing before it was shown"
    capture = sight.found.capture
    dark = [one for one in before if f"activations/{one}" not in capture]
    if not dark or IN_EVALUATION in sight.words:
        return whole
    if len(dark) < len(before):
        what = f"not shown before it: {', '.join(dark)}"
    whole = whole.saying(what)
    if ensemble.is_large(task_inputs.task) or sight.start != task_inputs.probe or sight.words:
        return whole
    for (first, *others), mistake, made in _tries(evidence, [*dark, path]):
        if relative(capture.get(sight.key), made.capture[sight.key]) <= _close(sight.error):
            told = replace(whole, location=Location(kind="layer", path=first))
            told = told.by(mistake.word, mistake.words, mistake.field)
            return told.saying(f"the same in {', '.join(others)}" if others else None)
    return whole


def _tries(
    evidence: Evidence, among: Sequence[str]
) -> Iterator[tuple[list[str], Mistake[Any], findings.Findings]]:
    """Every mistake that another layer, other parameters or no mask make, in all layers ``among``
    these paths that are alike, and in each; and what the reference makes of it.
    """
    task_inputs, reference = evidence.task_inputs, evidence.reference
    places = [place for place in evidence.model.places() if place.path in among]
    unmasked = reference.unmasked(task_inputs)
    reading = [place.path for place in places if cases.reads_mask(place.layer)]
    if reading and unmasked is not None:
        yield reading, Mistake("mask", "padding taken for steps", None), unmasked
    parameters = evidence.model.with_ties(read(task_inputs.probe))
    alike: dict[Layer, list[list[Mistake[Case]]]] = {}
    for place in places:
        if not isinstance(place.layer, Residual):
            alike.setdefault(place.layer, []).append(layers.unseen(place, parameters))
    for known in alike.values():
        for each in [known, *([one] for one in known)] if len(known) > 1 else [known]:
            for same in zip(*each, strict=True):
                changes = [mistake.instead for mistake in same]
                with suppress(ReferenceFailed, SpecError):  # it cannot be computed: nobody did
                    found = reference.mistaken(task_inputs, changes)
                    yield [case.path for case in changes], same[0], found
