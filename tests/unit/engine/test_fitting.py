"""Data that do not fit are refused in one sentence, before any worker is given them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from suite.engine.fitting import misfit
from suite.engine.inputs import InputsError, TaskInputs
from suite.plan import catalogue
from tasks import spec
from tasks.base import Batch, Splits, probe_batch
from tasks.codec import bare
from tasks.spec import Input, ModelSpec

LAYERS = (
    ("table", spec.Embedding(vocabulary=7, width=4)),
    ("first", spec.MeanSteps()),
    ("second", spec.MeanSteps(), ("reals",)),
    ("add", spec.Add(), ("first", "second")),
    ("fc", spec.Linear(in_features=4, out_features=3)),
)
INPUTS = {"words": Input(shape=(5,), vocabulary=7), "reals": Input(shape=(2, 4))}
MODEL = ModelSpec(name="m", inputs=INPUTS, layers=LAYERS)
TASK = bare(MODEL, spec.SGD(learning_rate=0.1), 4)
BATCH = replace(probe_batch(TASK, 4, 0), valid={"reals": np.ones((4, 2), bool)})


def inputs(**changes):
    return {"inputs": BATCH.inputs | changes}


@pytest.mark.parametrize("name", catalogue.tasks())
def test_random_samples_fit_every_task(name):
    task = catalogue.tasks()[name]
    assert misfit(task, probe_batch(task, 3, 0)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        (
            {"inputs": BATCH.inputs["words"]},
            "the inputs are one without a name, they must be words",
        ),
        (inputs(more=np.ones(4)), "the inputs are words, reals, more, they must be words, reals"),
        (
            inputs(words=np.ones((4, 5))),
            "inputs words is float64 (4, 5), it must be whole numbers (4, 5)",
        ),
        (inputs(words=np.full((4, 5), 7, np.int32)), "inputs words has 7, it must be below 7"),
        (inputs(words=np.full((4, 5), -1, np.int32)), "inputs words has -1, it must be at least 0"),
        (
            inputs(reals=np.ones((4, 3, 4))),
            "inputs reals is float64 (4, 3, 4), it must be real (4, ",
        ),
        (
            {"valid": {"word": np.ones((4, 5), bool)}},
            "valid names word, the inputs are words, reals",
        ),
        ({"valid": np.ones((4, 5), bool)}, "valid names one without a name, the inputs are words"),
        (
            {"valid": {"reals": np.ones((4, 5), bool)}},
            "valid reals is bool (4, 5), it must be bool ",
        ),
        (
            {"valid": {"reals": np.ones((4, 2))}},
            "valid reals is float64 (4, 2), it must be bool (4,",
        ),
        ({"targets": np.full(4, 3, np.int32)}, "targets has 3, it must be below 3"),
        ({"targets": np.full(4, -1, np.int32)}, None),
        ({"targets": np.zeros(4, np.int64)}, None),  # adapters make them theirs
        ({"targets": np.zeros(4)}, "targets is float64 (4,), it must be whole numbers (4,)"),
        (
            {"targets": np.zeros((4, 5), np.int32)},
            "targets is int32 (4, 5), it must be whole numbers (4,)",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_does(changes, words):
    found = misfit(TASK, replace(BATCH, **changes))
    assert found == words if words is None else found.startswith(words)


def test_a_split_that_does_not_fit_is_an_error_of_the_inputs(tmp_path):
    class Data:
        name = "odd"

        def load(self):
            odd = Batch(inputs=BATCH.inputs, targets=BATCH.targets, valid={"word": BATCH.targets})
            return Splits(train=BATCH, validation=odd, test=BATCH)

    with pytest.raises(InputsError) as caught:
        TaskInputs(replace(TASK, data=Data()), 0, tmp_path).splits  # noqa: B018
    words = "the data of m do not fit: of validation, valid names word, the inputs are words, reals"
    assert str(caught.value) == words
