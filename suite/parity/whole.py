"""The whole of a task: where it differs first, and in which of the looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from suite.engine.inputs import TaskInputs
from suite.engine.remote import Arrays
from suite.parity import evaluation
from suite.parity.compare import Errors, errors, first, judged, only, repeated
from suite.parity.evaluation import Evaluated
from suite.parity.findings import Findings, look_inside
from suite.parity.inquiry import Inquiry
from suite.parity.thresholds import FUNCTION
from suite.records.schema import Location

# Of the task's own samples the gradients of inputs are not looked at: in a picture's background
# rounding may decide which of equal values a pool takes: they would differ without being wrong.
INSIDE = ("activations", "predictions", "loss", "gradients", "buffers")
PARTS = (*INSIDE, "input_gradients", "update", "trained")
OWN = "on samples of the task's own"
TWICE = "two calls on the same values differ"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Where the whole differs first: in the array ``key``, by ``error``, at ``location``. It was
    seen with these samples, {inputs, targets, valid}, from the parameters in the file ``start``.
    ``words`` say when and where in the array, ``evaluated`` what it makes of its layer in
    evaluation, where that alone is wrong.
    """

    key: str
    error: float
    location: Location
    found: Findings
    wanted: Findings
    batch: Arrays
    start: str
    evaluated: Evaluated | None = None
    words: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        return self.key.partition("/")[0]

    def saying(self, *words: str | None) -> Sight:
        """The same with more words."""
        return replace(self, words=(*self.words, *filter(None, words)))


@dataclass(frozen=True, kw_only=True)
class Look:
    """What both make of one batch of the task's file, and the errors; ``words`` say of which."""

    split: str
    words: str
    found: Findings
    wanted: Findings
    errors: Errors


def looks(found: Findings, wanted: Findings) -> tuple[Look, ...]:
    """At random samples, with the update and the training, and at samples of the task's own."""
    first = Look(
        split="probe",
        words="",
        found=found,
        wanted=wanted,
        errors=errors(found, wanted, PARTS),
    )
    if found.own is None or wanted.own is None:
        return (first,)
    own = errors(found.own, wanted.own, INSIDE)
    return (first, Look(split="own", words=OWN, found=found.own, wanted=wanted.own, errors=own))


def sight(inquiry: Inquiry, found: Sequence[Look]) -> Sight | None:
    """Where the whole differs first. What shows in the training alone is looked for in the layers,
    with the training's own samples and parameters; what shows in evaluation alone, in the layers as
    they are in evaluation. Raises what Worker.call raises, and ReferenceFailed.
    """
    late = ("update", "trained")
    for look in found:
        inside = {k: e for k, e in look.errors.items() if k.partition("/")[0] not in late}
        one = _first(inquiry, replace(look, errors=inside))
        if one is not None:
            return _refined(inquiry, one.saying(look.words))
    last = _first(inquiry, found[0])
    if last is None or last.part != "trained":
        return last
    return _in_training(inquiry) or last.saying("in its training")


def _first(
    inquiry: Inquiry, look: Look, batch: Arrays | None = None, start: str | None = None
) -> Sight | None:
    at = first(look.errors, inquiry.task_inputs.task.model, dict.fromkeys(look.errors, FUNCTION))
    if at is None:
        return None
    key, location = at
    return Sight(
        key=key,
        error=look.errors[key],
        location=location,
        found=look.found,
        wanted=look.wanted,
        batch=batch or samples(inquiry.task_inputs, look.split),
        start=start or inquiry.task_inputs.probe,
    )


def _refined(inquiry: Inquiry, seen: Sight) -> Sight:
    """With what can be told of it at once."""
    if seen.part == "predictions":
        one = evaluation.place(inquiry, seen.wanted, seen.batch)
        where = Location(kind="layer", path=one.place.path) if one else seen.location
        seen = replace(seen, location=where, evaluated=one).saying(
            evaluation.ALONE, None if one else "no layer shows it alone"
        )
    if seen.part == "gradients":
        seen = seen.saying(only(seen.found.capture.get(seen.key), seen.wanted.capture[seen.key]))
    batch = _written(inquiry, seen.batch)
    again = look_inside(inquiry.backend, inquiry.task_inputs, seen.start, batch)
    before = seen.found.capture
    same = all(repeated(again.capture.get(key), before[key], FUNCTION) for key in before)
    return seen.saying(None if same else TWICE)


def _in_training(inquiry: Inquiry) -> Sight | None:
    """The first step whose inner values differ, from the reference's parameters before it."""
    task_inputs, reference = inquiry.task_inputs, inquiry.reference
    differences, train = inquiry.differences(), samples(task_inputs, "train")
    with np.load(task_inputs.data) as arrays:
        order = arrays["order"]
    for step, start in enumerate(reference.states(task_inputs), 1):
        batch = {name: array[order[step - 1]] for name, array in train.items()}
        file = _written(inquiry, batch)
        wanted = reference.look(task_inputs, start, file)
        found = look_inside(inquiry.backend, task_inputs, start, file)
        every = judged(errors(found, wanted, INSIDE), differences)
        look = Look(split="train", words="", found=found, wanted=wanted, errors=every)
        one = _first(inquiry, look, batch, start)
        if one is not None:
            return _refined(inquiry, one.saying(f"in step {step} of its training"))
    return None


def samples(task_inputs: TaskInputs, split: str) -> Arrays:
    """Those of one part of the task's data."""
    with np.load(task_inputs.data) as arrays:
        names = ("inputs", "targets", "valid")
        return {name: arrays[key] for name in names if (key := f"{split}.{name}") in arrays.files}


def _written(inquiry: Inquiry, batch: Arrays) -> str:
    """As ``load`` reads it, in place of the task's own."""
    file = inquiry.backend.path_of(inquiry.task_inputs, "batch")
    arrays = {f"probe.{name}": array for name, array in batch.items()}
    np.savez(file, order=np.zeros((0, 0), np.intp), **arrays)  # type: ignore[arg-type]
    return file
