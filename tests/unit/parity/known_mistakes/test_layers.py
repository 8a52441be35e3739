"""Every known mistake about a layer shows in one of its cases."""

from __future__ import annotations

import numpy as np
import pytest

from backends.numpy import Backend
from suite.engine.remote import bare
from suite.parity import layer_checks
from suite.parity.cases import Case
from suite.parity.known_mistakes import layers
from suite.parity.thresholds import ALONE
from tasks.spec import SGD
from tests.fixtures.layer_cases import LAYERS, every, model_of


def output(given: layers.Given, case: Case) -> np.ndarray:
    """What the reference makes of it."""
    model = model_of(given.layer, given.inputs.shape[1:])
    parameters = {f"layer.{name}": array for name, array in given.parameters.items()}
    program = Backend().build(bare(model, SGD(learning_rate=1.0), 1), parameters)
    upstream = case.upstream
    return program.layer_vjp("layer", given.inputs, upstream, given.valid).output


@pytest.mark.parametrize("layer", [layer for layer, *_ in LAYERS], ids=repr)
def test_every_confusion_about_a_layer_shows_in_a_situation(layer):
    shown: dict[str, float] = {}
    for own, case, given in every():
        if own == layer:
            right = output(given, case)
            for mistake in layers.mistakes(given):
                made = output(mistake.given, case)
                error = max(layer_checks.errors(made, right, case.axis))
                shown[mistake.words] = max(error, shown.get(mistake.words, 0.0))
    assert shown
    for words, error in shown.items():
        assert error > ALONE, words
