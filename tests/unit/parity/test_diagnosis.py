"""A loss that is wrong in its own checks alone is named."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backends.numpy.losses import loss as right
from suite.parity import loss_checks, optimizer_checks
from suite.parity.diagnosis import _cut, _of_loss, exchanged
from suite.parity.known_mistakes import losses
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


def test_inputs_of_one_kind_are_exchanged_and_their_masks():
    words = spec.Input(shape=(3,), vocabulary=7)
    model = spec.ModelSpec(
        name="two",
        inputs={"source": words, "target": words, "other": spec.Input(shape=(2,))},
        layers=(
            ("one", spec.Embedding(vocabulary=7, width=2), ("source",)),
            ("two", spec.Embedding(vocabulary=7, width=2), ("target",)),
            ("add", spec.Add(), ("one", "two")),
            ("mean", spec.MeanSteps()),
            ("sum", spec.Add(), ("mean", "other")),
        ),
    )
    batch = {"inputs.source": 1, "inputs.target": 2, "inputs.other": 3, "valid.source": 4}
    (values,) = exchanged(model, batch)
    assert values.instead == batch | {"inputs.source": 2, "inputs.target": 1}
    assert values.words == "the values of source and target exchanged"
    _, masks = exchanged(model, batch | {"valid.target": 5})
    assert (masks.word, masks.instead["valid.source"]) == ("mask", 5)
