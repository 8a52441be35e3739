"""The loss and the optimizers by themselves: a model of one linear layer, hot logits
(loss_checks.py); and gradients from vanishing to exploding under optimizers that have everything
switched on, of parameters with such names and shapes as people make a difference between.

A task's own recipe may never clip, and its own logits never saturate; who ports an optimizer wants
to know all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.arrays import Arrays
from suite.engine.remote import RemoteBackend
from suite.parity import loss_checks
from suite.parity.known_mistakes.optimizers import NOTHING, Rule
from suite.parity.layer_checks import greatest, relative
from suite.parity.loss_checks import CLASSES, FEATURES, LossCheck
from suite.parity.thresholds import CHECKS as LIMIT
from tasks import spec
from tasks.base import Task
from tasks.codec import bare
from tasks.parameters import probe, rounded, uniform
from tasks.spec import SGD, AdamW, Input, ModelSpec, Optimizer

RECIPE = 11  # the batch size of the checks' task: another than the number of its samples
SCALES = (1e-7, 1.0, 0.1, 0.0, 30.0, 1.0)  # of the gradients, step by step; clipped from 0.5 on

# Constants that nobody uses: who computes with a usual one in place of the given is found out.
_SGD = SGD(learning_rate=0.13, momentum=0.83, weight_decay=0.17, clip_norm=0.7, warmup_steps=3)
_ADAMW = AdamW(
    learning_rate=0.013,
    beta1=0.87,
    beta2=0.973,
    epsilon=3e-8,
    weight_decay=0.17,
    clip_norm=0.7,
    warmup_steps=3,
)

Check = Optimizer | LossCheck
Checks = Mapping[str, Check]

CHECKS: dict[str, Optimizer] = {
    "SGD": _SGD,
    "SGD with nesterov": replace(_SGD, nesterov=True),
    "AdamW": _ADAMW,
}

# At the rate 1: at AdamW's 0.013 the last updates are so small that correct ones differ by 1e-12.
STEPPED = {
    f"{name} with milestones": replace(CHECKS[name], learning_rate=1.0, milestones=(2, 4))
    for name in ("SGD", "AdamW")
}
# Two steps of warm-up, two of the decay (at its half a line is a cosine), its end and one after it.
SCHEDULED: dict[str, dict[str, Optimizer]] = {
    schedule: {
        f"{name} with {what}": replace(
            CHECKS[name], learning_rate=1.0, warmup_steps=2, schedule=schedule, decay_steps=last
        )
        for name in ("SGD", "AdamW")
    }
    for what, schedule, last in (
        ("an inverse square root", "inverse_sqrt", None),
        ("a cosine", "cosine", 5),
    )
}

UPDATES = {**CHECKS, **STEPPED, **{n: o for of in SCHEDULED.values() for n, o in of.items()}}

# Of a whole model's update rounding hides what is lost; at the rate 1 it does not.
PRECISE = {
    "AdamW": AdamW(learning_rate=1.0, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0)
}

LEAST_EPSILON = 1e-30  # as good as none, and nothing is divided by 0
LEAST_NORM = 1e-9  # of an update: with a gradient of 0 some are

Answers = dict[str, Arrays]  # by optimizer check; arrays by capture's keys, and as "step N/PATH"


@dataclass(frozen=True, kw_only=True)
class WrongUpdate:
    """A check that went wrong, first in the array ``key``, by ``error``."""

    name: str
    check: Check
    key: str
    error: float


def of(task: Task) -> Checks:
    """Those that a task's backends are put through: an update by others' hands may know nothing of
    milestones and schedules, and need not where the task has none; nor a loss of steps.
    """
    of_loss = loss_checks.of(task.loss, len(task.model.output_shape()) > 1)
    stepped = STEPPED if task.optimizer.milestones else {}
    return of_loss | CHECKS | stepped | SCHEDULED.get(task.optimizer.schedule, {})


def answers(backend: RemoteBackend, checks: Checks, model: ModelSpec | None = None) -> Answers:
    """What one backend makes of the optimizer checks, updates being those of ``model``'s
    parameters; what it does not support is left out. Raises what else Worker.call raises.
    """
    found = Answers()
    for name, check in checks.items():
        with suppress(NotSupported):
            found[name] = _answer(backend, check, model)
    return found


def wrong(found: Answers, wanted: Answers, asked: Checks) -> list[WrongUpdate]:
    """The optimizer checks that went wrong, in their order."""
    wrong_ones: dict[str, WrongUpdate] = {}
    for name, key, error in _errors(found, wanted):
        if error > LIMIT:
            one = WrongUpdate(name=name, check=asked[name], key=key, error=error)
            wrong_ones.setdefault(name, one)
    return list(wrong_ones.values())


def off(found: NDArray[Any] | None, wanted: NDArray[Any]) -> float:
    """‖found - wanted‖ / ‖wanted‖."""
    return relative(found, wanted, least=LEAST_NORM)


def _errors(found: Answers, wanted: Answers) -> Iterator[tuple[str, str, float]]:
    """By check and array, in the order of computing, of all but the inner values that a whole-model
    port does not show.
    """
    inner = ("activations/", "input_gradients/")
    for name, mine in found.items():
        for key in sorted(wanted[name], key=_order):
            if key in mine or not key.startswith(inner):
                yield name, key, off(mine.get(key), wanted[name][key])


def _order(key: str) -> int:
    parts = ("predictions", "activations", "loss", "gradients", "input_gradients")
    part = key.partition("/")[0]
    return parts.index(part) if part in parts else len(parts)


def worst(found: Answers, wanted: Answers) -> float:
    """The worst error of all."""
    return max((error for *_, error in _errors(found, wanted)), default=0.0)


def paths(made: Arrays, right: Arrays) -> tuple[list[str], list[str]]:
    """The parameters whose updates are off in any step, and all."""
    every = greatest(
        (key.partition("/")[2], off(made.get(key), array)) for key, array in right.items()
    )
    return [path for path, error in every.items() if error > LIMIT], [*every]


def proportional(made: Arrays, right: Arrays) -> bool:
    """Is every step's update the right one times a number? Only then it is the rate that is off."""
    for step in range(1, len(SCALES) + 1):
        keys = [key for key in right if key.startswith(f"step {step}/")]
        if any(key not in made or made[key].shape != right[key].shape for key in keys):
            return False
        mine, wanted = (np.concatenate([of[key].ravel() for key in keys]) for of in (made, right))
        size = float(wanted @ wanted)
        if size and off(mine, wanted * (float(mine @ wanted) / size)) > LIMIT:
            return False
    return True


def named(updates: Sequence[Mapping[str, NDArray[Any]]]) -> Arrays:
    """Updates step by step, as the answers name them."""
    return {
        f"step {step}/{path}": update
        for step, made in enumerate(updates, 1)
        for path, update in made.items()
    }


def ruled(rule: Rule, model: ModelSpec | None = None) -> Arrays:
    """What a rule for updates makes of the parameters and the gradients of ``model``."""
    return named(rule(start(model), gradients(model)))


def start(model: ModelSpec | None = None) -> Arrays:
    """The parameters before the first step."""
    return {path: rounded(array) for path, array in probe(model or UPDATED, 0).items()}


def switched(optimizer: Optimizer) -> Checks:
    """The optimizer with nothing but its rate, and with each field alone beside it, by field."""
    off = NOTHING
    if isinstance(optimizer, SGD):
        off = {"momentum": 0.0, "nesterov": False, **off}
    elif isinstance(optimizer, AdamW):
        off = {"epsilon": LEAST_EPSILON, "beta1": 0.0, "beta2": 0.0, **off}
    plain = replace(optimizer, **off)
    parts = {field: replace(plain, **{field: getattr(optimizer, field)}) for field in off}
    if isinstance(optimizer, AdamW):  # without moments its steps do not know how long a gradient is
        moments = {"epsilon": off["epsilon"], "beta1": optimizer.beta1, "beta2": optimizer.beta2}
        parts["clip_norm"] = replace(parts["clip_norm"], **moments)
    if "nesterov" in parts:
        parts["nesterov"] = replace(optimizer, **(off | {"momentum": 0.9, "nesterov": True}))
    return {"learning_rate": plain, **parts}


def gradients(model: ModelSpec | None = None) -> Sequence[Arrays]:
    """A step's gradients each, in Fortran order: PyTorch's fused optimizers do not look at strides,
    and an adapter that hands such arrays on updates the wrong numbers.
    """
    return [
        {
            path: np.asfortranarray(scale * uniform(step, f"drill {path}", parameter.shape))
            for path, parameter in (model or UPDATED).parameters().items()
        }
        for step, scale in enumerate(SCALES)
    ]


def _answer(backend: RemoteBackend, check: Check, model: ModelSpec | None) -> Arrays:
    if isinstance(check, LossCheck):
        task = replace(
            bare(_named(check.model, check), SGD(learning_rate=0.1), RECIPE), loss=check.loss
        )
        return backend.program(task, check.batch).capture()
    model = model or UPDATED
    program = backend.build(bare(_named(model, check), check, RECIPE))
    if "update" in program.program.differences():
        raise NotSupported("the update follows a rule of its own")
    return named([program.update(given) for given in gradients(model)])


def _named(model: ModelSpec, check: Check) -> ModelSpec:
    """By what it is asked about, since a worker knows its programs by name."""
    digest = sha256(repr((model.name, check)).encode()).hexdigest()
    return replace(model, name=f"drill-{digest[:12]}")


# Some decay, clip or speed up by the parameter's name, or by its shape. Every adapter has a Linear.
UPDATED = ModelSpec(
    name="updated",
    input=Input(shape=(FEATURES,)),
    layers=(
        ("embedding", spec.Linear(in_features=FEATURES, out_features=4, bias=False)),
        ("norm", spec.Linear(in_features=4, out_features=4)),
        ("fc", spec.Linear(in_features=4, out_features=CLASSES)),
    ),
)
