"""Which layer does in evaluation something else than it should, where training is right.

Programs show no inner values of evaluation. So each layer becomes a model of its own, which
predicts from what the layer is given in the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.engine.job import FAILURES
from suite.engine.remote import Arrays, bare, read
from suite.parity.branch_flips import sources
from suite.parity.compare import relative
from suite.parity.findings import Findings
from suite.parity.inquiry import Inquiry
from suite.parity.thresholds import FUNCTION
from tasks import spec
from tasks.base import Batch, Task
from tasks.spec import SGD, Input, ModelSpec, Place

ALONE = "in evaluation alone"


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A layer with what it was given in evaluation and made of it, a picture laid flat."""

    place: Place
    samples: Batch
    made: NDArray[np.float64]


def place(
    inquiry: Inquiry, wanted: Findings, batch: Arrays, limit: float = FUNCTION
) -> Evaluated | None:
    """The first such layer, which is off by more than ``limit``; None if none shows it alone.
    Raises ReferenceFailed.
    """
    model = inquiry.task_inputs.task.model
    given, start = sources(model), read(inquiry.task_inputs.probe)
    for one in model.places():
        if isinstance(one.layer, spec.Residual):
            continue
        source = given[one.path]
        inputs = wanted.capture[f"activations/{source}"] if source else batch["inputs"]
        stepped = len(one.input_shape) == (1 if _ids(model, one) else 2)
        samples = Batch(
            inputs=inputs, targets=batch["targets"], valid=batch.get("valid") if stepped else None
        )
        own = {path: a for path, a in start.items() if path.startswith(f"{one.path}.")}
        task = _task(model, one, len(inputs))
        right = inquiry.reference.predicting(task, own, samples)
        try:
            made = inquiry.backend.predicted(task, own, samples)
        except FAILURES:  # a port of the whole has no layers, and refuses another model
            inquiry.backend.lose()
            return None
        if relative(made, right, least=1e-3) > limit:
            return Evaluated(place=one, samples=samples, made=made)
    return None


def _task(model: ModelSpec, one: Place, size: int) -> Task:
    """The layer as a model; a picture is laid flat, which every backend does in one order."""
    vocabulary = model.input.vocabulary if _ids(model, one) else None
    flat = (("flat", spec.Flatten()),) if len(one.output_shape) == 3 else ()
    alone = ModelSpec(
        name=f"{model.name}-evaluated",
        input=Input(shape=one.input_shape, vocabulary=vocabulary),
        layers=((one.path, one.layer), *flat),
    )
    return bare(alone, SGD(learning_rate=1.0), size)


def _ids(model: ModelSpec, one: Place) -> bool:
    return model.input.vocabulary is not None and one.path == model.places()[0].path
