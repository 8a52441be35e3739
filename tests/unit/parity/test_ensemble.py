"""What correct arithmetic of a precision strays by, and the null ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity.compare import errors
from suite.parity.ensemble import UNITS, Null, moved
from suite.parity.findings import read
from tests.fixtures.findings import TASKS, findings

PARTS = ("activations", "loss", "gradients", "buffers")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("precision", "most"), [("float32", 1e-4), ("tf32", 0.03), ("bfloat16", 0.1)]
)
def test_a_precision_strays_by_its_rounding(task, precision, most):
    found = errors(findings(task, precision), findings(task, "float64"), PARTS)
    assert 0 < max(found.values()) < most
    assert np.median(list(found.values())) > UNITS[precision] / 10


def test_every_value_moves_to_a_neighbour(tmp_path):
    file = str(tmp_path / "start.npz")
    array = np.linspace(-1, 1, 1001).astype(np.float32).astype(np.float64)
    np.savez(file, array=array)
    first, second = (read(moved(file, member, "float32"))["array"] for member in range(2))
    for each in (first, second):
        steps = np.abs(each.astype(np.float32) - array.astype(np.float32))
        assert (
            steps == np.abs(np.spacing(np.maximum(np.abs(array), np.abs(each)), dtype=np.float32))
        ).mean() > 0.99
        assert np.array_equal(each, each.astype(np.float32))
    assert 0.3 < (first == second).mean() < 0.7
    for member in range(2):  # half a unit of bfloat16, which rounds up or down
        other = read(moved(file, member, "bfloat16"))["array"]
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-9)
        other = read(moved(file, member, "tf32"))["array"]
        assert np.abs(other - array) == pytest.approx(np.abs(array) * 2.0**-11)


def test_an_error_is_told_in_units_of_the_worst_member():
    null = Null(2e-7)
    null.add({"a": 1e-6, "b": 0.0})
    null.add({"a": 3e-6})
    ratios = null.ratios({"a": 6e-6, "b": 2e-7, "c": 1.0})
    assert ratios == pytest.approx({"a": 2.0, "b": 1.0})
