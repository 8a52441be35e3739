"""Every known mistake about a loss shows in its checks."""

from __future__ import annotations

import pytest

from backends.numpy.losses import loss as right
from suite.parity import loss_checks, optimizer_checks
from suite.parity.known_mistakes import losses
from tasks import spec
from tests.fixtures.layer_cases import LOSSES, given_to_loss

OF_STEPS = {  # what is no mistake where every sample has one target, which counts
    "the mean over all targets in place of those that count",
    "the mean of each sample, then over the samples",
    "the sum over steps, then the mean over the samples",
    "targets below 0 taken for class 0",
    "targets below 0 taken for the last class",
    "label smoothing of targets that are left out too",
}


def checks(loss):
    """All of a loss, of samples and of steps."""
    return loss_checks.of(loss, False) | loss_checks.of(loss, True)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_rules_unchanged_are_the_specified(loss):
    rule = losses.ctc if isinstance(loss, spec.CTC) else losses.cross_entropy
    for name, check in checks(loss).items():
        wanted = right(loss, *given_to_loss(check))[0]
        assert rule(loss, *given_to_loss(check)) == pytest.approx(wanted, rel=1e-12), name


@pytest.mark.parametrize("stepwise", [False, True])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_every_confusion_about_a_loss_shows_in_a_check(loss, stepwise):
    asked = loss_checks.of(loss, stepwise)
    wanted = {name: right(loss, *given_to_loss(check))[0] for name, check in asked.items()}
    found = list(losses.mistakes(loss, {optimizer_checks.RECIPE}))
    assert len(found) > 10
    hidden = {
        mistake.words
        for mistake in found
        if all(
            abs(mistake.instead(*given_to_loss(check)) - wanted[name]) <= 1e-3 * abs(wanted[name])
            for name, check in asked.items()
        )
    }
    of_samples = isinstance(loss, spec.CrossEntropy) and not stepwise
    known = {mistake.words for mistake in found}
    assert hidden == (OF_STEPS & known if of_samples else set())


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_mistakes_differ_from_each_other(loss):
    """So that a guess is not another mistake's."""
    seen = {}
    for mistake in losses.mistakes(loss, {optimizer_checks.RECIPE}):
        values = tuple(
            f"{mistake.instead(*given_to_loss(check)):.9e}"
            for check in loss_checks.of(loss, True).values()
        )
        assert values not in seen, (mistake.words, seen[values])
        seen[values] = mistake.words
