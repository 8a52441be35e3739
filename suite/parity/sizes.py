"""Is it the same with the batches that are timed? Asked of the very graph that is timed, in its own
precision: a prediction or a step of training, on the task's own samples, against the reference.

The thorough questions are asked of a batch of the recipe's size. This one finds what depends on
the size: a kernel that goes wrong from so many samples on, a step that leaves out its update or a
part of the batch, a loss that is divided by a constant of the recipe. It cannot tell how well
rounding is done; the thorough question does that.

Rounding may grow more than a fixed limit knows: where attention is nearly even, the gradients of
queries and keys cancel to a thousandth (of BERT's at random parameters float32 loses 1e-4). What
exceeds its limit is held beside what the reference itself loses in that precision.

A step with dropout has nothing to be compared with. Its program is asked whether it trains, and one
at rate 0, built beside it, whether it is the reference's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from math import isfinite, prod, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.arrays import Arrays, read
from suite.engine.inputs import TaskInputs
from suite.engine.pool import WorkerPool
from suite.engine.remote import RemoteBackend
from suite.parity.compare import Errors, kinked, worst
from suite.parity.ensemble import moving
from suite.parity.findings import Attempt
from suite.parity.inquiry import Inquiry, all_finite, finite, named, noted
from suite.parity.layer_checks import relative
from suite.parity.reference import EXACT, Reference, ReferenceFailed, ReferenceLacks
from suite.parity.thresholds import PRECISION
from suite.plan.configurations import Configuration
from suite.records.schema import Cell, Location, ParityResult
from suite.worker.fresh import distance
from tasks.base import Task
from tasks.spec import ModelSpec

ROUNDOFF = 2.0**-24  # of the parameters, which are float32 in every precision that is timed
# How far correct programs may be from the reference, relative: see docs/parity.md.
PREDICTIONS = {"float64": 1e-7, "float32": 1e-4, "tf32": 2e-2, "bfloat16": 2e-1}
LOSS = PREDICTIONS | {"float32": 2e-5}
GRADIENTS = PREDICTIONS | {"float64": 1e-6, "float32": 3e-4, "tf32": 5e-2, "bfloat16": 4e-1}
FLIPPED = {"float64": 1e-6, "float32": 0.3, "tf32": 0.5, "bfloat16": 0.6}  # where a kink is behind
# Of moments behind a clipping norm, in units of rounding times the root of how many squares of the
# largest parameter are added up: PyTorch's norm of BERT's gradients was off by 3.6e-4, and second
# moments by 7.2e-4, which is 2.5 such units.
ADDED = 8
# Adam's first step is nearly the gradient's sign, which rounding changes where it is 0.
UPDATE = 0.5


def look(
    reference: Reference,
    files: Path,
    pool: WorkerPool,
    configuration: Configuration,
    cell: Cell,
    task_inputs: TaskInputs,
    step: int,
) -> ParityResult | None:
    """The answer for what a run times, in the worker that times it, with so many steps counted
    before (none where the backend's optimizer cannot); None where the gate has said that the
    reference lacks a layer. Raises what Worker.call raises.
    """
    backend = RemoteBackend(pool, configuration, files / "sizes")
    inquiry = Inquiry(backend=backend, task_inputs=task_inputs, reference=reference)
    asked = Attempt(phase=cell.phase, size=cell.batch_size)
    drawn = asked.phase == "train" and task_inputs.task.model.random
    try:
        if step:
            with suppress(NotSupported):  # an optimizer of its own may only start anew
                return (_ask_drawn if drawn else ask)(inquiry, replace(asked, step=step))
        return (_ask_drawn if drawn else ask)(inquiry, asked)
    except ReferenceLacks:
        return None
    except ReferenceFailed as error:
        return inquiry.result(
            "function",
            phase=asked.phase,
            batch_size=asked.size,
            verdict="not_supported",
            reason=f"the reference: {error}",
        )


def _ask_drawn(inquiry: Inquiry, asked: Attempt) -> ParityResult:
    """The answer for a step with dropout: what does not show which numbers were drawn, and all of a
    program at rate 0 in the same worker, which is dropped again.
    """
    backend, timed = inquiry.backend, inquiry.task_inputs
    still = timed.without_dropout
    still = replace(still, task=replace(still.task, name=f"{timed.task.name}-without-dropout"))
    wanted = inquiry.reference.attempt(still, asked)
    found = asked.made(backend, timed, again=True)
    own_rules = {"loss", "buffers", "moments", "update"}
    among = moving(still.task, inquiry.reference.findings(timed.without_dropout))
    every = _step(found, wanted, read(timed.other), among, own_rules)
    answer = _judged(inquiry, asked, every, dict)
    if answer.verdict == "same":
        program = backend.client.build(still.task.name, still.spec, still.initial)
        program.load(still.data)
        answer = ask(replace(inquiry, task_inputs=still), asked, among)
        backend.client.drop(still.task.name)
        answer = noted(answer, "asked at rate 0; with dropout whether a step trains")
    return answer.model_copy(update={"task": timed.task.name})


def ask(inquiry: Inquiry, asked: Attempt, among: Collection[str] | None = None) -> ParityResult:
    """The answer for one phase and size; ``among`` are the parameters that training moves, where
    they are known. The program is left at another state. Raises what Worker.call raises, and
    ReferenceFailed.
    """
    task_inputs, reference = inquiry.task_inputs, inquiry.reference
    wanted = reference.attempt(task_inputs, asked)
    made = asked.made(inquiry.backend, task_inputs, again=True)
    if asked.phase == "train" and among is None:
        among = moving(task_inputs.task, reference.findings(task_inputs))

    def off(found: Arrays) -> Errors:
        if asked.phase == "infer":
            return {"predictions/logits": distance(found["logits"], wanted["logits"])}
        start = read(task_inputs.other)
        return _step(found, wanted, start, among or (), inquiry.differences())

    precision = inquiry.configuration.precision
    return _judged(
        inquiry, asked, off(made), lambda: off(reference.attempt(task_inputs, asked, precision))
    )


def _judged(
    inquiry: Inquiry, asked: Attempt, every: Errors, rounding: Callable[[], Errors]
) -> ParityResult:
    """The answer; ``rounding`` tells the reference's own errors in the program's precision, where
    that must be known.
    """
    task_inputs, precision = inquiry.task_inputs, inquiry.configuration.precision
    smooth, added = _smooth(inquiry.model), _added(task_inputs.task, precision)
    limits = {key: max(_limit(key, precision, smooth), added * _clipped(key)) for key in every}
    if precision != EXACT and any(error > limits[key] for key, error in every.items()):
        limits = _widened(limits, rounding(), precision)
    shares = {key: error / limits[key] for key, error in every.items()}
    key = max(shares, key=lambda name: shares[name])
    distinct = asked.distinct(task_inputs.task) if asked.phase == "train" else None
    answer = inquiry.result(
        "function",
        phase=asked.phase,
        batch_size=asked.size,
        error=finite(every[key]),
        errors=all_finite(worst(every)),
        threshold=limits[key],
        reason=distinct and f"asked with {distinct} samples, repeated: the reference is slow",
    )
    if shares[key] <= 1:
        return answer
    location = _location(_first(shares, inquiry.model), inquiry.model)
    off = f"{every[key]:.2g}" if isfinite(every[key]) else "not finite"
    what = {"infer": "predictions", "train": "a step of training"}[asked.phase]
    words = f"{what} with a batch of {asked.size}: {named(location)}"
    reason = f"{words}; the worst error, of {key}, is {off}"
    return answer.model_copy(
        update={"verdict": "different", "location": location, "reason": reason}
    )


def _limit(key: str, precision: str, smooth: Collection[str]) -> float:
    """How far off a part/path may be, where these parameters' gradients meet no kink."""
    part, _, path = key.partition("/")
    if part == "update" or key == "again/update":
        return UPDATE
    if part == "moments":
        return (GRADIENTS if path.rpartition("/")[0] in smooth else FLIPPED)[precision]
    return (LOSS if path == "loss" else PREDICTIONS)[precision]


def _added(task: Task, precision: str) -> float:
    """How far off a clipping norm's sum makes gradients; 0 where nothing is clipped."""
    if task.optimizer.clip_norm is None or precision == EXACT:
        return 0.0
    most = max((prod(each.shape) for each in task.model.parameters().values()), default=0)
    return ADDED * ROUNDOFF * sqrt(most)


def _clipped(key: str) -> bool:
    return key.startswith("moments/")


def _widened(limits: Errors, rounding: Errors, precision: str) -> Errors:
    """The limits, or as many times correct arithmetic's own error as the precision question allows;
    no more than where a kink is behind.
    """
    allowed = {key: PRECISION[precision] * error for key, error in rounding.items()}
    most = FLIPPED[precision]
    return {key: max(limit, min(most, allowed.get(key, 0.0))) for key, limit in limits.items()}


def _smooth(model: ModelSpec) -> set[str]:
    """The parameters that are behind the last layer where rounding may decide otherwise, in all of
    their places.
    """
    before, found = set[str](), set[str]()
    for place in model.places():
        if kinked(place.layer):
            before |= found
        found |= model.parameters_of(place)
    return found - before


def _step(
    found: Arrays,
    wanted: Arrays,
    start: Arrays,
    among: Collection[str],
    own_rules: Collection[str],
) -> Errors:
    """The errors of the step: its loss, the buffers, the moments, which tell the gradients (where
    the backend shows any), what became of the parameters, and what a second step did otherwise.
    Parameters are those ``among`` which training moves: another one's gradient, such as that of a
    bias before a batch norm, is rounding, of which float32 has 1e9 times as much as float64.
    """
    own_update = "update" in own_rules
    every = {"loss/loss": relative(found["loss"], wanted["loss"])}
    if "loss" in own_rules:
        every = {"loss/loss": 0.0 if np.isfinite(found["loss"]) else float("inf")}
    every |= {key: float(apart) for key, apart in found.items() if key.startswith("again/")}
    shown = any(key.startswith("moments/") for key in found)
    for key, right in wanted.items():
        part, _, path = key.partition("/")
        owner = path.rpartition("/")[0] if part == "moments" else path
        if part in ("moments", "parameters") and owner not in among:
            continue
        compared = part == "buffers" or (part == "moments" and shown and not own_update)
        if compared and part not in own_rules:
            every[key] = relative(found.get(key), right)
        if part == "parameters":
            every[f"update/{path}"] = _moved(found.get(key), right, start[path], own_update)
    return every


def _moved(
    found: NDArray[np.float64] | None,
    wanted: NDArray[np.float64],
    start: NDArray[np.float64],
    own_rule: bool,
) -> float:
    """How far a parameter's change is from the right one, in units of that and of its rounding; of
    a rule of the backend's own only whether it changed.
    """
    if found is None or found.shape != wanted.shape:
        return float("inf")
    right = wanted - start
    rounding = 4 * ROUNDOFF * float(np.linalg.norm(start))
    if own_rule:
        stands = np.linalg.norm(right) > rounding and np.array_equal(found, start)
        return float("inf") if stands else 0.0
    return relative(found - start, right, float(np.linalg.norm(right)) + rounding / UPDATE)


def _first(shares: Mapping[str, float], model: ModelSpec) -> str:
    """Of what is too far off, what a step comes to first: forward, then backward from the last
    layer, then the update.
    """
    wrong = [key for key, share in shares.items() if share > 1]
    backward = [f"moments/{path}/" for path in reversed(list(model.parameters()))]
    course = ["predictions/", "loss/", "buffers/", *backward, "update/", "again/"]
    return next(key for at in course for key in wrong if key.startswith(at))


def _location(key: str, model: ModelSpec) -> Location:
    """The place; all that is known of a prediction is what came out at the end."""
    part, _, path = key.partition("/")
    kinds: dict[str, Any] = {
        "predictions": "layer",
        "loss": "loss",
        "buffers": "buffer",
        "moments": "parameter",
        "update": "optimizer",
    }
    if part == "predictions":
        path = model.places()[-1].path
    if part == "moments":
        path = path.rpartition("/")[0]
    # A second step is another with a batch that was met before.
    again = "loss" if path == "loss" else "optimizer"
    return Location(kind=kinds.get(part, again), path=path)
