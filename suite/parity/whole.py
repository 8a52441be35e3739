"""The whole of a task: where it differs first, and in which of the looks at it.

Programs show no inner values of evaluation. Where that alone is wrong, each layer becomes a model
of its own, which predicts from what the layer is given in the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.engine.arrays import Arrays, read
from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES
from suite.parity.compare import (
    LATE_LOGITS,
    Errors,
    errors,
    first,
    judged,
    only,
    repeated,
)
from suite.parity.ensemble import moving
from suite.parity.findings import Findings, look_inside, written
from suite.parity.inquiry import Inquiry
from suite.parity.layer_checks import LEAST_NORM, Case, alone, relative
from suite.parity.reference import INSIDE
from suite.parity.thresholds import FUNCTION
from suite.records.schema import Location
from tasks.spec import ModelSpec, Place, Residual, local

# Of the task's own samples the gradients of inputs are not looked at: in a picture's background
# rounding may decide which of equal values a pool takes: they would differ without being wrong.
PARTS: tuple[str, ...] = (*INSIDE, "input_gradients", "update", "trained")
OWN = "on samples of the task's own"
IN_EVALUATION = "in evaluation alone"
TWICE = "two calls on the same values differ"

# A layer with what it was given in evaluation, and what was made of it, a picture laid flat.
Evaluated = tuple[Case, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What both make of some samples, {inputs, targets, valid}, from the parameters in the file
    ``start``, and the errors; ``words`` say of which, and when and where in an array.
    """

    found: Findings
    wanted: Findings
    errors: Errors
    batch: Arrays
    start: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Sight(Look):
    """Where the whole differs first: in the array ``key``, by ``error``, at ``location``.
    ``evaluated`` is what it makes of its layer in evaluation, where that alone is wrong.
    """

    key: str
    error: float
    location: Location
    evaluated: Evaluated | None = None

    @property
    def part(self) -> str:
        return self.key.partition("/")[0]

    def saying(self, *words: str | None) -> Sight:
        """The same with more words."""
        return replace(self, words=(*self.words, *filter(None, words)))


def looks(task_inputs: TaskInputs, found: Findings, wanted: Findings) -> list[Look]:
    """At random samples, with the update and the training, and at samples of the task's own. Of the
    training not what moves by rounding alone: Adam makes whole steps of it, in a direction that no
    other program takes.
    """
    moved = {*moving(task_inputs.task, wanted)}
    still = {f"trained/{path}" for path in task_inputs.task.model.parameters() if path not in moved}
    both: list[tuple[Findings, Findings, tuple[str, ...], str, tuple[str, ...]]]
    both = [(found, wanted, PARTS, "probe", ())]
    if found.own and wanted.own:
        both.append((found.own, wanted.own, INSIDE, "own", (OWN,)))
    return [
        Look(
            found=mine,
            wanted=right,
            errors={k: e for k, e in errors(mine, right, parts).items() if k not in still},
            batch=samples(task_inputs, split),
            start=task_inputs.probe,
            words=words,
        )
        for mine, right, parts, split, words in both
    ]


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
            return _refined(inquiry, one)
    last = _first(inquiry, found[0])
    if last is None or last.part != "trained":
        return last
    if last.key == LATE_LOGITS:
        return last.saying("in predictions after its training, not in those from its parameters")
    return _in_training(inquiry) or last.saying("in its training")


def _first(inquiry: Inquiry, look: Look) -> Sight | None:
    at = first(look.errors, inquiry.model, FUNCTION)
    if at is None:
        return None
    key, location = at
    return Sight(**vars(look), key=key, error=look.errors[key], location=location)


def _refined(inquiry: Inquiry, seen: Sight) -> Sight:
    """With what can be told of it at once."""
    if seen.part == "predictions":
        seen = replace(seen, evaluated=evaluated(inquiry, seen.wanted, seen.batch))
        nowhere = "no layer shows it alone"
        if seen.evaluated:
            where = Location(kind="layer", path=seen.evaluated[0].path)
            seen, nowhere = replace(seen, location=where), ""
        seen = seen.saying(IN_EVALUATION, nowhere)
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
        with reference.at_work() as backend:
            wanted = look_inside(backend, task_inputs, start, file)
        found = look_inside(inquiry.backend, task_inputs, start, file)
        look = Look(
            found=found,
            wanted=wanted,
            errors=judged(errors(found, wanted, INSIDE), differences),
            batch=batch,
            start=start,
            words=(f"in step {step} of its training",),
        )
        one = _first(inquiry, look)
        if one is not None:
            return _refined(inquiry, one)
    return None


def samples(task_inputs: TaskInputs, split: str) -> Arrays:
    """Those of one part of the task's data, as ``Batch.arrays`` names them."""
    with np.load(task_inputs.data) as arrays:
        start = f"{split}."
        own = (key for key in arrays.files if key.startswith(start))
        return {key.removeprefix(start): arrays[key] for key in own}


def _written(inquiry: Inquiry, batch: Arrays) -> str:
    """As ``load`` reads it, in place of the task's own."""
    arrays: Arrays = {f"probe.{name}": array for name, array in batch.items()}
    arrays["order"] = np.zeros((0, 0), np.intp)
    return written(inquiry.backend, inquiry.task_inputs, "batch", arrays)


def masks(model: ModelSpec, batch: Arrays) -> dict[str, Any]:
    """The valid steps of every value, by its path, an input's by its name; None is all steps."""
    return model.valid({name: batch.get(_named("valid", name)) for name in model.every_input})


def _named(part: str, name: str) -> str:
    return f"{part}.{name}" if name else part


def in_whole(inquiry: Inquiry, wanted: Findings, place: Place, batch: Arrays) -> Case:
    """The layer at a place, given in evaluation what it is given in the whole."""
    model, valid = inquiry.model, masks(inquiry.model, batch)
    values = {path: batch[_named("inputs", path)] for path in model.every_input}
    values |= {one.path: wanted.capture[f"activations/{one.path}"] for one in model.places()}
    several = tuple(values[source] for source in place.sources)
    own = tuple(valid[source] for source in place.sources)
    first = several[0]
    return Case(
        name="evaluated",
        layer=place.layer,
        path=place.path,
        parameters=local(model.with_ties(read(inquiry.task_inputs.probe)), place.path),
        inputs=several if len(several) > 1 else first,
        upstream=np.zeros((len(first), *place.output_shape)),
        valid=own if len(own) > 1 else own[0],
        training=False,
    )


def evaluated(
    inquiry: Inquiry, wanted: Findings, batch: Arrays, limit: float = FUNCTION
) -> Evaluated | None:
    """The first layer that does in evaluation something else than it should, by more than
    ``limit``; None if none shows it alone. Raises ReferenceFailed.
    """
    for place in inquiry.model.places():
        if isinstance(place.layer, Residual):
            continue
        case = in_whole(inquiry, wanted, place, batch)
        right = inquiry.reference.supposing(case)["output"]
        try:
            made = alone(inquiry.backend, case)["output"]
        except FAILURES:  # a port of the whole has no layers, and refuses another model
            inquiry.backend.lose()
            return None
        if relative(made, right, least=LEAST_NORM) > limit:
            return case, made
    return None
