"""Dropout, whose numbers are every framework's own: no reference knows them. So they are read off
what a training step changes, and the step is computed again with them.

The model looks up a row for each sample in two tables, drops of each by itself, and has one linear
layer of two classes. A row's gradient is 0 exactly where it was dropped on the way back. The loss
and the linear layer's gradient are of what was dropped on the way there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from suite.engine.arrays import Arrays
from suite.engine.remote import RemoteBackend, RemoteProgram, loadable
from suite.parity.conformance.checks import THRESHOLDS, Broken, Check, Errors
from suite.parity.conformance.layers import SAMPLES
from suite.parity.layer_checks import Case, alone, compare, random_case
from tasks import spec
from tasks.base import Batch, Task
from tasks.codec import bare
from tasks.parameters import rounded, uniform
from tasks.spec import SGD, Input, ModelSpec

ROWS, WIDTH, STEPS = 16, 64, 4  # samples, of which each has a row of its own; steps of training
RATE = 0.3
TABLES = ("one", "two")
# Correct masks are further from what is expected once in 5e8 looks, of which a check has 500.
DEVIATIONS = 6.0
ANOTHER_SEED = 1


@dataclass(frozen=True)
class Trained:
    """A step: which values were kept, (samples, width) in the order of the batch, and its loss."""

    kept: dict[str, NDArray[np.bool_]]
    loss: float


def task(rate: float) -> Task:
    """The model above, whose update is the gradient itself."""
    table = spec.Embedding(vocabulary=ROWS, width=WIDTH)
    model = ModelSpec(
        name="whole-dropout",
        input=Input(shape=(1,), vocabulary=ROWS),
        layers=(
            ("one", table),
            ("drop_one", spec.Dropout(rate=rate)),
            ("two", table, ("",)),
            ("drop_two", spec.Dropout(rate=rate)),
            ("cat", spec.Concat(), ("drop_one", "drop_two")),
            ("mean", spec.MeanSteps()),  # of one step
            ("fc", spec.Linear(in_features=2 * WIDTH, out_features=2, bias=False)),
        ),
    )
    return bare(model, SGD(learning_rate=1.0), ROWS)


def start() -> Arrays:
    """The classes' weights are opposite and far from 0, so that no gradient is 0 by chance."""
    weight = uniform(0, "weight", (2 * WIDTH,))
    weight = np.where(weight < 0, weight - 1, weight + 1) / 16
    tables = {f"{name}.weight": uniform(0, name, (ROWS, WIDTH)) / 2 for name in TABLES}
    arrays = {"fc.weight": np.stack([weight, -weight])} | tables
    return {path: rounded(array) for path, array in arrays.items()}


BATCH = Batch(
    inputs=np.arange(ROWS, dtype=np.int32)[:, None], targets=np.arange(ROWS, dtype=np.int32) % 2
)
ORDER = loadable(BATCH)["order"]


def step(parameters: Arrays, factors: NDArray[np.float64]) -> Arrays:
    """The loss, and the parameters after a step of which values are multiplied by ``factors``,
    (samples, 2 width).
    """
    weight, targets = parameters["fc.weight"], BATCH.targets
    tables = np.concatenate([parameters[f"{name}.weight"] for name in TABLES], axis=1)
    x = tables * factors
    logits = x @ weight.T
    logits = logits - logits.max(axis=1, keepdims=True)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    of = np.arange(ROWS), targets
    loss = -np.log(shares[of]).mean()
    shares[of] -= 1
    upstream = shares / ROWS
    after = np.split(tables - (upstream @ weight) * factors, 2, axis=1)
    found = {f"{name}.weight": each for name, each in zip(TABLES, after, strict=True)}
    return {"loss": np.array(loss), "fc.weight": weight - upstream.T @ x, **found}


@Check("dropout", {"training": task(RATE)})
def drops_as_it_is_to(backend: RemoteBackend, case: Task) -> Errors:
    """In training and not in evaluation: as many as asked for, scaled, the same forward and
    backward, others in every step, sample, layer and seed, and the same ones from the same state.
    """
    program = backend.build_at(case, start(), BATCH)
    wanted = step(start(), np.ones((ROWS, 2 * WIDTH)))["loss"]
    evaluated = compare(program.predict(), {"loss": wanted})
    precision = backend.configuration.precision
    if evaluated["loss"] > THRESHOLDS[precision]:
        raise Broken("evaluation is not that of the parameters: is something dropped there too?")
    saved = program.state()
    errors, steps = dict(evaluated), []
    for number in range(STEPS):
        made, off = _trained(program, number)
        steps.append(made)
        errors |= {f"{name} of step {number + 1}": error for name, error in off.items()}
    _expect_share(np.concatenate([_all(each) for each in steps]), RATE)
    for each in steps:
        _expect_apart(each.kept["one"], each.kept["two"], "two layers")
        for row, other_row in combinations(np.concatenate([*each.kept.values()], axis=1), 2):
            _expect_apart(row, other_row, "two samples")
    for (n, one), (m, other) in combinations(enumerate(steps, 1), 2):
        _expect_apart(_all(one), _all(other), f"steps {n} and {m}")
    for again in ("a state is loaded", "a training starts anew"):
        if again == "a state is loaded":
            program.restore(saved)
        else:
            program.reset()
        loss = _trained(program, 0)[0].loss
        if abs(loss - steps[0].loss) > THRESHOLDS[precision] * steps[0].loss:
            rule = "what is dropped follows from the seed, the step and the layer's path"
            raise Broken(f"where {again}, the same step drops other values: {rule}")
    _trained(program, 1)
    program.reset(ANOTHER_SEED)
    _expect_apart(_all(_trained(program, 0)[0]), _all(steps[0]), "two seeds")
    if program.program.block("train", ROWS, STEPS, lead_in=1).compiled:
        raise Broken("a later step is compiled anew")
    return errors


def _trained(program: RemoteProgram, number: int) -> tuple[Trained, Errors]:
    """Make a step, and judge it by what it kept."""
    before = _parameters(program)
    loss = program.train(number, number + 1)["losses"][0]
    after = _parameters(program)
    kept = {name: after[f"{name}.weight"] != before[f"{name}.weight"] for name in TABLES}
    every = np.concatenate([*kept.values()], axis=1)
    if every.all():
        raise Broken(f"in step {number + 1} nothing is dropped")
    made = {"loss": loss, **after}
    errors = compare(made, step(before, every / (1 - RATE)))
    limit = THRESHOLDS[program.backend.configuration.precision]
    for words, factor in (("not scaled by 1 / (1 - rate)", 1.0), ("scaled by 1 / rate", 1 / RATE)):
        if max(errors.values()) > limit:
            others = compare(made, step(before, every * factor))
            if max(others.values()) <= limit:
                raise Broken(f"in step {number + 1} what is kept is {words}")
    rows = ORDER[number]
    return Trained({name: each[rows] for name, each in kept.items()}, float(loss)), errors


def _parameters(program: RemoteProgram) -> Arrays:
    start = "parameters/"
    state = program.state()
    return {key.removeprefix(start): a for key, a in state.items() if key.startswith(start)}


def _all(made: Trained) -> NDArray[np.bool_]:
    return np.concatenate([each.ravel() for each in made.kept.values()])


def _expect_share(kept: NDArray[np.bool_], rate: float) -> None:
    """Raise Broken unless the share that is kept is 1 - rate, within the binomial's deviations."""
    share, wanted = float(kept.mean()), 1 - rate
    allowed = DEVIATIONS * sqrt(rate * (1 - rate) / kept.size)
    if abs(share - wanted) > allowed:
        raise Broken(
            f"{share:.4f} of {kept.size} values are kept, where the rate is {rate}: {wanted:g} is "
            f"to be kept, {allowed:.4f} more or less"
        )


def _expect_apart(one: NDArray[np.bool_], other: NDArray[np.bool_], what: str) -> None:
    """Raise Broken unless two masks agree as often as two that have nothing in common."""
    agreeing = float((one == other).mean())
    wanted = RATE**2 + (1 - RATE) ** 2
    if abs(agreeing - wanted) > DEVIATIONS * sqrt(wanted * (1 - wanted) / one.size):
        raise Broken(
            f"the masks of {what} agree in {agreeing:.2f} of {one.size} values, where by chance it "
            f"is {wanted:.2f}"
        )


ALONE = {
    case.name: case
    for case in (
        random_case(SAMPLES, "dropout-images", spec.Dropout(rate=0.25), (5, 16, 9)),
        random_case(SAMPLES, "dropout-steps", spec.Dropout(rate=0.75), (24, 16)),
    )
}


@Check("mask", ALONE, tuple(THRESHOLDS))
def layer_alone_uses_one_mask(backend: RemoteBackend, case: Case) -> Errors:
    """Of ones it makes 0 or 1 / (1 - rate), forward and backward in the same places."""
    ones = replace(case.given(np.ones_like), upstream=np.ones_like(case.upstream))
    made = alone(backend, ones)
    output, inner = made["output"], made["input_gradients"]
    assert isinstance(case.layer, spec.Dropout)
    kept = output != 0
    _expect_share(kept, case.layer.rate)
    wanted = kept / (1 - case.layer.rate)
    return compare(
        {"output": output, "input_gradients": inner}, {"output": wanted, "input_gradients": wanted}
    )
