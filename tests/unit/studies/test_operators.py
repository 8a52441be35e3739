"""The operators' benchmarks: wrong answers are refused, and the frameworks' files are mirrored."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.fixtures.public_names import public
from tests.studies.operators import reference
from tests.studies.operators.operators import OPERATORS, OTHERS, RECURRENT
from tests.studies.operators.rows import error

OPERATORS_FOLDER = ROOT / "tests" / "studies" / "operators"


class Canonical:
    """A program whose arrays are canonical already."""

    def activation(self, value):
        return value

    def canonical(self, path, value):
        return value


@pytest.fixture(scope="module")
def right():
    return reference.answer(next(o for o in OPERATORS if o.name == "layer_norm"))


def test_right_answers_pass(right):
    found = {name: array.astype(np.float32) for name, array in right.items()}
    assert 0 < error(Canonical(), found, right) < 1e-7


@pytest.mark.parametrize("name", ["output", "input", "weight", "bias"])
@pytest.mark.parametrize("wrong", [lambda x: x * 1.0001, lambda x: x * np.nan, np.zeros_like])
def test_wrong_answers_are_named(name, wrong, right):
    with pytest.raises(ValueError, match=f"{name} is off by"):
        error(Canonical(), right | {name: wrong(right[name])}, right)


def test_missing_gradients_are_refused(right):
    with pytest.raises(ValueError, match="should have"):
        error(Canonical(), {"output": right["output"]}, right)


def test_every_operator_is_of_a_known_kind():
    assert len({o.name for o in OPERATORS}) == len(OPERATORS)
    for operator in OPERATORS:
        assert isinstance(operator.layer, OTHERS + RECURRENT), operator.name


def test_the_frameworks_files_are_mirrored():
    for framework in ("torch", "jax", "tensorflow"):
        file = OPERATORS_FOLDER / f"{framework}_operators.py"
        functions = [name for name in public(file) if name.islower() and "." not in name]
        assert functions == ["forward_backward"], file
        assert file.read_text().count("\nWAYS = (") == 1, file
