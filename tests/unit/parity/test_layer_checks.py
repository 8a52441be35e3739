"""A layer alone: its task, and how what is made of it is judged."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np
import pytest

from suite.parity.layer_checks import Case, compare, errors, random_case
from tasks import spec

CASE = Case(
    name="one",
    layer=spec.Linear(in_features=2, out_features=2),
    inputs=np.ones((2, 2)),
    upstream=np.ones((2, 2)),
    kinds=("ordinary", "large"),
    axis=0,
)
RIGHT = {"output": np.ones((2, 2)), "gradients/weight": np.ones((2, 2))}
MADE = {"output": np.array([[1.0, 1.0], [1.0, 2.0]]), "gradients/weight": np.full((2, 2), 2.0)}


def test_errors_are_taken_kind_by_kind_but_of_a_gradient_as_a_whole():
    found = errors(CASE, MADE, RIGHT)
    assert found["output"] == {"ordinary": 0.0, "large": pytest.approx(0.5**0.5)}
    assert found["gradients/weight"] == {"ordinary": pytest.approx(1.0)}
    assert errors(replace(CASE, axis=None), MADE, RIGHT)["output"] == {
        "ordinary": pytest.approx(0.5)
    }
    assert compare(MADE, RIGHT) == {
        "output": pytest.approx(0.5),
        "gradients/weight": pytest.approx(1.0),
    }


def test_a_gradient_that_is_rounding_alone_is_told_beside_the_layers_largest():
    right = {"gradients/weight": np.full((2, 2), 1e5), "gradients/bias": np.full(2, 1e-12)}
    made = {"gradients/weight": np.full((2, 2), 1e5), "gradients/bias": np.full(2, 3e-12)}
    off = np.sqrt(2) * 2e-12
    assert errors(CASE, made, right)["gradients/bias"]["ordinary"] == pytest.approx(off / 0.2)
    small = {key: array[:1] for key, array in right.items() if key == "gradients/bias"}
    alone = errors(CASE, {"gradients/bias": np.full(1, 3e-12)}, small)
    assert alone["gradients/bias"]["ordinary"] == pytest.approx(2e-12 / 1e-3)


def test_what_is_missing_misshapen_or_not_finite_is_infinitely_wrong():
    strange = {"output": np.array([[1.0, np.nan], [1.0, 1.0]]), "gradients/weight": np.ones(3)}
    assert errors(CASE, strange, RIGHT) == {
        "output": {"ordinary": inf, "large": 0.0},
        "gradients/weight": {"ordinary": inf},
    }
    assert errors(CASE, {}, RIGHT)["output"] == {"ordinary": inf}
    assert set(compare({}, RIGHT).values()) == {inf}


def test_of_some_cases_it_is_enough_to_be_finite():
    finite = replace(CASE, finite=True)
    assert errors(finite, MADE, RIGHT)["output"] == {"ordinary": 0.0, "large": 0.0}
    strange = {"output": np.full((2, 2), np.inf)}
    assert errors(finite, strange, RIGHT)["output"] == {"ordinary": inf, "large": inf}


def test_a_case_may_have_several_inputs():
    case = random_case(3, "cat", spec.Concat(), ((2, 4, 4), (3, 4, 4)))
    first, second = case.inputs
    assert (first.shape, second.shape) == ((3, 2, 4, 4), (3, 3, 4, 4))
    assert not np.array_equal(first, second[:, :2])
    assert case.upstream.shape == (3, 5, 4, 4)
    (place,) = case.task.model.places()
    assert place.sources == ("input0", "input1")
    assert [one.min() for one in case.given(np.zeros_like).inputs] == [0, 0]
    right = {"output": case.upstream, "input_gradients/0": first, "input_gradients/1": second}
    found = errors(case, right | {"input_gradients/1": 2 * second}, right)
    assert {key: max(kinds.values()) for key, kinds in found.items()} == {
        "output": 0.0,
        "input_gradients/0": 0.0,
        "input_gradients/1": pytest.approx(1.0),
    }


def test_a_case_is_a_task_of_its_own():
    layer = spec.Embedding(vocabulary=9, width=4)
    case = random_case(3, "embedding", layer, (5,), vocabulary=9, path="words")
    assert case.inputs.dtype == np.int32
    assert 0 <= case.inputs.min() <= case.inputs.max() < 9
    assert case.upstream.shape == (3, 5, 4)
    assert case.start.keys() == {"words.weight"}
    given = replace(case, parameters={"weight": np.zeros((9, 4))})
    assert not given.start["words.weight"].any()
    picture = random_case(2, "relu", spec.ReLU(), (3, 4, 4))
    assert picture.task.model.output_shape() == (3, 4, 4)
    assert replace(picture, training=False).task.model.output_shape() == (48,)
