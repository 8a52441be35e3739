"""Every known mistake about the loss shows in its check."""

from __future__ import annotations

import numpy as np

from suite.parity import optimizer_checks
from suite.parity.known_mistakes import losses
from tasks.parameters import probe


def test_every_confusion_about_the_loss_shows_in_the_drill():
    batch = optimizer_checks.batch()
    fc = probe(optimizer_checks.CLASSIFIER, 0)
    logits = batch.inputs @ fc["fc.weight"].T + fc["fc.bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = -logs[np.arange(len(logits)), batch.targets].mean()
    assert len(losses.MISTAKES) > 5
    for mistake in losses.MISTAKES:
        made = mistake.instead(logits, batch.targets)
        assert abs(made - right) > 1e-3 * abs(right), mistake.words
