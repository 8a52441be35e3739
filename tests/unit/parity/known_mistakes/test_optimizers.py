"""Every known mistake about an optimizer shows in its check."""

from __future__ import annotations

import numpy as np
import pytest

from backends.numpy import optimizers
from suite.parity import optimizer_checks
from suite.parity.known_mistakes import optimizers as mistaken
from tests.fixtures.layer_cases import EVERY


def right_updates(optimizer):
    """The optimizer check's updates by the reference's formulas."""
    parameters, updates = optimizer_checks.start(), []
    moments = {
        path: {name: np.zeros_like(a) for name in optimizer.moments()}
        for path, a in parameters.items()
    }
    for step, gradients in enumerate(optimizer_checks.gradients(), 1):
        new, moments = optimizers.update(optimizer, step, parameters, gradients, moments)
        updates.append({path: new[path] - parameters[path] for path in new})
        parameters = new
    return updates


def apart(made, right):
    return max(
        optimizer_checks.off(a[path], b[path])
        for a, b in zip(made, right, strict=True)
        for path in b
    )


@pytest.mark.parametrize("name", EVERY)
def test_the_rules_unchanged_are_the_specified(name):
    optimizer = EVERY[name]
    made = mistaken.updates(optimizer, optimizer_checks.start(), optimizer_checks.gradients())
    assert apart(made, right_updates(optimizer)) < 1e-12


@pytest.mark.parametrize("name", EVERY)
def test_every_confusion_about_an_optimizer_shows_in_its_drill(name):
    optimizer = EVERY[name]
    right = right_updates(optimizer)
    found = list(mistaken.mistakes(optimizer))
    assert len(found) > 20
    plain = {"milestones": (), "schedule": "constant"}
    unused = {field for field, value in plain.items() if getattr(optimizer, field) == value}
    assumed = {"nesterov", "decay_steps"} | unused
    assert {mistake.field for mistake in found} >= set(
        optimizer_checks.switched(optimizer)
    ) - assumed
    for mistake in found:
        made = mistake.instead(optimizer_checks.start(), optimizer_checks.gradients())
        assert apart(made, right) > 10 * optimizer_checks.LIMIT, mistake.words
