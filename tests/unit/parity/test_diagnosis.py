"""A loss that is wrong in its own checks alone is named."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backends.numpy import Backend
from backends.numpy.losses import loss as right
from suite.parity import loss_checks, optimizer_checks
from suite.parity.diagnosis import Diagnosis, _cut, _of_loss, _of_place, exchanged
from suite.parity.known_mistakes import layers, losses
from suite.records.schema import Location
from tasks import spec
from tests.fixtures.layer_cases import LOSSES, given_to_loss
from tests.fixtures.reference_cases import task_of

FC = spec.Linear(in_features=2, out_features=2)
TASK = task_of((("fc", FC),), spec.Input(shape=(2,)))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_mistake_about_a_loss_is_named(loss):
    asked = loss_checks.of(loss, True)
    given = {name: given_to_loss(check) for name, check in asked.items()}
    wanted = {
        name: {"loss": np.array(right(loss, *one)[0]), "predictions/logits": one[0]}
        for name, one in given.items()
    }
    inputs = SimpleNamespace(task=replace(TASK, loss=loss))
    for mistake in losses.mistakes(loss, {optimizer_checks.RECIPE, TASK.batch_size}):
        values = {name: np.array(mistake.instead(*one)) for name, one in given.items()}
        found = {name: wanted[name] | {"loss": value} for name, value in values.items()}
        first = optimizer_checks.wrong(found, wanted, asked)[0]
        diagnosis = _of_loss(SimpleNamespace(updates=found, task_inputs=inputs), first)
        assert diagnosis.cause == mistake.words
        assert diagnosis.location.kind == "loss"
        assert diagnosis.words == (f"only in the check of {first.name}",)


def test_a_row_that_no_gradient_reaches_is_told_from_one_that_is_wrong():
    right = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert _cut(right * [[0], [1]], right)
    assert _cut(0 * right, right)
    assert not _cut(right * [[0.5], [1]], right)
    assert not _cut(right * [[0], [0.5]], right)


WORDS = spec.Input(shape=(3,), vocabulary=7)
TABLE = spec.Embedding(vocabulary=7, width=2, scale=3.0)
TWO = spec.ModelSpec(
    name="two",
    inputs={"source": WORDS, "target": WORDS},
    layers=(
        ("one", TABLE, ("source",)),
        ("two", TABLE, ("target",)),
        ("add", spec.Add(), ("one", "two")),
    ),
)


def predicted(case):
    """What the reference makes of a case in evaluation."""
    return {"output": Backend().build(case.task, case.start).predict(case.batch)}


@pytest.mark.parametrize(
    ("made", "guess"),
    [
        (lambda table, ids: table[ids["target"]], "scale 1.0 in place of 3.0"),
        (
            lambda table, ids: 3 * table[ids["source"]],
            "inputs: the values of source and target exchanged",
        ),
        (lambda table, ids: 2.5 * table[ids["target"]], None),
    ],
)
def test_what_is_wrong_at_one_place_alone_is_named(tmp_path, made, guess):
    table = np.arange(14.0).reshape(7, 2) + 1
    np.savez(tmp_path / "probe.npz", **{"one.weight": table, "two.weight": table})
    ids = {"source": np.array([[0, 1, 2]], np.int32), "target": np.array([[6, 3, 3]], np.int32)}
    right = {
        f"activations/{path}": 3 * table[ids[name]]
        for path, name in zip(("one", "two"), ids, strict=True)
    }
    right["activations/add"] = sum(right.values())
    found = right | {"activations/two": made(table, ids)}
    task_inputs = SimpleNamespace(probe=str(tmp_path / "probe.npz"), task=replace(TASK, model=TWO))
    reference = SimpleNamespace(
        supposing=predicted,
        misled=lambda case: ((one, predicted(one.instead)) for one in layers.mistakes(case)),
    )
    evidence = SimpleNamespace(model=TWO, task_inputs=task_inputs, reference=reference)
    sight = SimpleNamespace(
        key="activations/two",
        part="activations",
        start=task_inputs.probe,
        batch={f"inputs.{name}": each for name, each in ids.items()},
        found=SimpleNamespace(capture=found),
        wanted=SimpleNamespace(capture=right),
    )
    whole = Diagnosis(location=Location(kind="layer", path="two"), error=0.5, threshold=1e-7)
    assert _of_place(evidence, whole, sight).location.guess == guess


def test_inputs_of_one_kind_are_exchanged_and_their_masks():
    batch = {"inputs.source": 1, "inputs.target": 2, "valid.source": 4}
    (values,) = exchanged(TWO, batch)
    assert values.instead == batch | {"inputs.source": 2, "inputs.target": 1}
    assert values.words == "the values of source and target exchanged"
    _, masks = exchanged(TWO, batch | {"valid.target": 5})
    assert (masks.word, masks.instead["valid.source"]) == ("mask", 5)
