"""How far trainings stray, relative to what training did."""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity.trajectory import checkpoints, distances, moving, null_course
from tasks import cnn, spec
from tests.fixtures.findings import findings
from tests.fixtures.reference_cases import task_of


def test_what_only_rounding_moves_is_left_out():
    conv = spec.Conv2d(in_channels=1, out_channels=2, kernel_size=3, padding=1)
    norm = spec.BatchNorm(channels=2, epsilon=1e-5, momentum=0.1)
    layers = (("conv", conv), ("norm", norm), ("flatten", spec.Flatten()))
    task = task_of(layers, spec.Input(shape=(1, 3, 3)))
    assert moving(task, findings(task, "float64")) == ["conv.weight", "norm.weight", "norm.bias"]


def test_the_distance_is_relative_to_what_training_did():
    start, right = {"a": np.zeros(2), "b": np.ones(1)}, {"a": np.array([3.0, 4.0]), "b": np.ones(1)}
    mine = {"a": np.array([3.0, 4.5]), "b": np.full(1, 9.0)}
    assert distances([mine, {}], [right, right], start, ["a"]) == [pytest.approx(0.1), np.inf]
    members = [[right, mine], [right, right], [right, right]]
    course = null_course(members, [right, right], start, ["a"], [1, 2])
    assert course.distances == [0.0, pytest.approx(0.1)]
    assert course.horizon == 2


def test_small_models_are_trained_further():
    assert checkpoints(cnn.tiny())[-1] == 50
    assert checkpoints(cnn.small())[-1] == 5
