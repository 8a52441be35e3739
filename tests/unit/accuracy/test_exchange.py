"""Weights that another framework trained: which predictions rounding explains."""

from __future__ import annotations

import numpy as np
import pytest

from suite.accuracy.exchange import ALLOWANCE, compared


def test_predictions_that_rounding_explains_are_listed_and_others_are_wrong():
    right = np.array([[1.0, 0.0], [0.5, 0.5 + 1e-6], [0.0, 2.0], [3.0, 1.0]])
    assert compared(right, right, 1e-7)["disagreements"] == []
    swapped = right[:, ::-1].copy()
    swapped[[0, 2]] = right[[0, 2]]
    found = compared(right, swapped, 1e-7)
    assert [(d.sample, d.margin) for d in found["disagreements"]] == [
        (1, pytest.approx(1e-6)),
        (3, 2.0),
    ]
    assert found["wrong"] == 1
    assert 2 * ALLOWANCE * 1e-7 > 1e-6  # so that only the last is
    assert found["error"] == 2.0


def test_every_step_is_a_prediction_and_told_by_its_sample():
    right = np.array([[[1.0, 0.0], [0.0, 2.0]], [[5.0, 1.0], [0.0, 1e-6]]])
    found = right.copy()
    found[1] = right[1, :, ::-1]
    told = compared(right, found, 1e-7)
    assert [(d.sample, d.margin) for d in told["disagreements"]] == [
        (1, 4.0),
        (1, pytest.approx(1e-6)),
    ]
    assert told["wrong"] == 1
    assert told["error"] == 4.0
