"""The reference's smoothed cross-entropy and CTC are the formulas; their gradients, differences."""

from __future__ import annotations

from itertools import groupby, product
from math import inf

import numpy as np
import pytest

from backends.numpy.losses import loss
from tasks import spec
from tasks.parameters import uniform
from tests.fixtures.reference_cases import EXACT, assert_close, differences

SMOOTH = spec.CrossEntropy(smoothing=0.2)
LABELS = np.array([[1, 2], [2, 2], [-1, -1], [1, -1], [2, 1]], np.int32)
WORDS = ("1111", "0111", "1010", "0010", "1101")
VALID = np.array([[step == "1" for step in word] for word in WORDS])
LOGITS = 3 * uniform(1, "logits", (5, 4, 3))


def probabilities(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def enumerated(logits, labels, blank):
    """p(labels | logits) as the paper defines it: the sum over all paths that collapse to them."""
    steps, classes = logits.shape
    total = 0.0
    for path in product(range(classes), repeat=steps):
        if [c for c, _ in groupby(path) if c != blank] == list(labels):
            total += np.prod(probabilities(logits)[np.arange(steps), list(path)])
    return total


@pytest.mark.parametrize("targets", [[[2, 0, 1], [1, 1, 0]], [[2, 0, -1], [-3, -1, 1]]])
def test_smoothing_mixes_the_target_with_all_classes(targets):
    logits, targets = 3 * uniform(1, "logits", (2, 3, 4)), np.array(targets)
    terms = []
    for row, target in zip(logits.reshape(-1, 4), targets.ravel(), strict=True):
        wanted = np.full(4, 0.2 / 4)
        wanted[target] += 0.8
        terms += [-wanted @ np.log(probabilities(row))] if target >= 0 else []
    value, gradient = loss(SMOOTH, logits, targets, None)
    assert value == pytest.approx(np.mean(terms), rel=EXACT)
    assert_close(gradient, differences(lambda z: loss(SMOOTH, z, targets, None)[0], logits))
    assert not gradient[targets < 0].any()


@pytest.mark.parametrize("blank", [0, 1, 2])
@pytest.mark.parametrize("valid", [None, VALID], ids=["full", "padded"])
def test_ctc_is_the_sum_over_all_paths(blank, valid):
    ctc = spec.CTC(blank=blank)
    names = np.array([c for c in range(3) if c != blank])
    targets = np.where(LABELS < 0, LABELS, names[LABELS - 1]).astype(np.int32)
    rows = np.ones((5, 4), bool) if valid is None else valid
    each = [
        -np.log(enumerated(z[kept], labels[labels >= 0], blank))
        for z, kept, labels in zip(LOGITS, rows, targets, strict=True)
    ]
    value, gradient = loss(ctc, LOGITS, targets, valid)
    assert value == pytest.approx(np.mean(each), rel=EXACT)
    assert_close(gradient, differences(lambda z: loss(ctc, z, targets, valid)[0], LOGITS), 1e-7)
    assert not gradient[~rows].any()


def test_padding_of_ctc_changes_nothing():
    """Neither what stands on invalid steps, nor more padding behind the labels."""
    value, gradient = loss(spec.CTC(), LOGITS, LABELS, VALID)
    other = np.where(VALID[..., None], LOGITS, 1e3 * uniform(2, "other", LOGITS.shape))
    wide = np.pad(LABELS, ((0, 0), (0, 3)), constant_values=-1)
    again, changed = loss(spec.CTC(), other, wide, VALID)
    assert again == value
    np.testing.assert_array_equal(changed, gradient)


def test_hot_logits_of_ctc_stay_finite():
    value, gradient = loss(spec.CTC(), 1e4 * LOGITS, LABELS, VALID)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_a_sample_without_steps_or_labels_is_certain():
    empty = np.full((1, 2), -1, np.int32)
    value, gradient = loss(spec.CTC(), LOGITS[:1], empty, np.zeros((1, 4), bool))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize(("labels", "steps"), [((1, 2), 1), ((2, 2), 2), ((1, -1), 0)])
def test_labels_that_do_not_fit_in_their_steps_are_infinitely_improbable(labels, steps):
    valid = np.arange(4)[None] < steps
    value, gradient = loss(spec.CTC(), LOGITS[:1], np.array([labels]), valid)
    assert value == inf
    assert np.isnan(gradient[valid]).all()
    assert not gradient[~valid].any()


def test_losses_keep_float32():
    logits = LOGITS.astype(np.float32)
    for kind, targets in ((spec.CTC(), LABELS), (SMOOTH, np.ones((5, 4), np.int32))):
        value, gradient = loss(kind, logits, targets, VALID)
        assert value.dtype == gradient.dtype == np.float32
        exact, _ = loss(kind, logits.astype(np.float64), targets, VALID)
        assert value == pytest.approx(exact, rel=1e-6)
