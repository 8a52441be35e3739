"""What correct arithmetic of a precision strays by, the null ensemble, and how far trainings stray,
relative to what training did.
"""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import PRECISIONS
from suite.parity.compare import errors
from suite.parity.ensemble import Null, checkpoints, distances, moved, moving, null_course
from suite.parity.findings import read
from suite.parity.layer_checks import greatest
from tasks import cnn, spec
from tests.fixtures.findings import TASKS, findings
from tests.fixtures.reference_cases import task_of

PARTS = ("activations", "loss", "gradients", "buffers")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("precision", "most"), [("float32", 1e-4), ("tf32", 0.03), ("bfloat16", 0.1)]
)
def test_a_precision_strays_by_its_rounding(task, precision, most):
    found = errors(findings(task, precision), findings(task, "float64"), PARTS)
    assert 0 < max(found.values()) < most
    assert np.median(list(found.values())) > PRECISIONS[precision].unit / 10


def arrays_of(file, member, precision):
    with moved(file, member, precision) as path:
        return read(path)["array"]


def test_every_value_moves_to_a_neighbour(tmp_path):
    file = str(tmp_path / "start.npz")
    array = np.linspace(-1, 1, 1001).astype(np.float32).astype(np.float64)
    np.savez(file, array=array)
    first, second = (arrays_of(file, member, "float32") for member in range(2))
    for each in (first, second):
        steps = np.abs(each.astype(np.float32) - array.astype(np.float32))
        assert (
            steps == np.abs(np.spacing(np.maximum(np.abs(array), np.abs(each)), dtype=np.float32))
        ).mean() > 0.99
        assert np.array_equal(each, each.astype(np.float32))
    assert 0.3 < (first == second).mean() < 0.7
    for member in range(2):  # half a unit of bfloat16, which rounds up or down
        other = arrays_of(file, member, "bfloat16")
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-9)
        other = arrays_of(file, member, "tf32")
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-11)
    assert [path.name for path in tmp_path.iterdir()] == ["start.npz"]


def test_an_error_is_told_in_units_of_the_worst_member():
    members = ({"a": 1e-6, "b": 0.0}, {"a": 3e-6})
    null = Null(2e-7, greatest(pair for member in members for pair in member.items()))
    ratios = null.ratios({"a": 6e-6, "b": 2e-7, "c": 1.0})
    assert ratios == pytest.approx({"a": 2.0, "b": 1.0})


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
    course = null_course(map(iter, members), [right, right], start, ["a"], [1, 2])
    assert course.distances == [0.0, pytest.approx(0.1)]
    assert course.horizon == 2


def test_small_models_are_trained_further():
    assert checkpoints(cnn.tiny())[-1] == 50
    assert checkpoints(cnn.small())[-1] == 5
