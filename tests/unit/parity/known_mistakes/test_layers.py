"""Every known mistake about a layer shows in one of its cases."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.numpy import Backend
from suite.parity.known_mistakes import layers
from suite.parity.layer_checks import Case, errors
from suite.parity.thresholds import ALONE
from tasks import spec
from tests.fixtures.layer_cases import LAYERS, every


def output(case: Case) -> dict:
    """What the reference makes of it."""
    program = Backend().build(case.task, case.start)
    found = program.layer_vjp("layer", case.inputs, case.upstream, case.valid)
    return {"output": found.output}


@pytest.mark.parametrize("layer", [layer for layer, *_ in LAYERS], ids=repr)
def test_every_confusion_about_a_layer_shows_in_a_situation(layer):
    shown: dict[str, float] = {}
    for own, case in every():
        if own == layer:
            right = output(case)
            for mistake in layers.mistakes(case):
                made = output(mistake.instead)
                off = errors(replace(case, finite=False), made, right)["output"]
                error = max(off.values())
                shown[mistake.words] = max(error, shown.get(mistake.words, 0.0))
    assert shown
    for words, error in shown.items():
        assert error > ALONE, words


# PositionalEmbedding(count="valid") without its mask is PositionalEmbedding(count="all").
THE_SAME = {"all steps counted in place of valid ones", "padding taken for steps"}


@pytest.mark.parametrize("kind", list(dict.fromkeys(type(each) for each, *_ in LAYERS)))
def test_two_mistakes_about_a_kind_of_layer_differ_in_some_situation(kind):
    """In one layer two may be the same by its numbers: a head of 4 features is as wide as the root
    of a width of 16. Values of one field may be: epsilons of 1e-15 and 1e-300 are.
    """
    made: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    for number, (own, case) in enumerate(every()):
        if isinstance(own, kind):
            for mistake in layers.mistakes(case):
                told = mistake.word, mistake.words
                made.setdefault(told, {})[number] = output(mistake.instead)["output"]
    for one, other in combinations(made, 2):
        both = made[one].keys() & made[other].keys()
        if one[0] == other[0] or {one[1], other[1]} == THE_SAME:
            continue
        assert not both or any(
            not np.allclose(made[one][n], made[other][n], rtol=0, atol=ALONE) for n in both
        ), (one, other)


@given(st.floats(-1e30, 1e30, allow_subnormal=False), st.integers(2, 24))
def test_rounding_keeps_so_many_bits(value, bits):
    array = np.array([value])
    kept = layers.narrowed(array, bits)
    assert np.abs(kept - array) <= np.abs(array) * 2.0**-bits
    assert np.array_equal(layers.narrowed(kept, bits), kept)


@pytest.mark.parametrize(
    ("sizes", "kernel", "stride", "edges"),
    [
        ((6, 8), (3, 3), (2, 2), [(0, 1), (0, 1)]),
        ((224,), (7,), (2,), [(2, 3)]),  # where a ResNet begins
        ((5, 8), (3, 5), (2, 1), [(1, 1), (2, 2)]),
        ((9,), (2,), (4,), [(0, 1)]),
        ((8,), (2,), (4,), [(0, 0)]),
    ],
)
def test_same_pads_as_little_as_it_must_and_at_the_end_first(sizes, kernel, stride, edges):
    assert layers._same(sizes, kernel, stride) == edges


def test_rows_beside_the_offset_are_tried_where_the_table_has_them():
    layer = spec.PositionalEmbedding(steps=5, width=6, offset=4, rows=10)
    found = {value["layer"].offset for value in _tried(layer)}
    assert found == {0, 1, 2, 3, 5}
    full = spec.PositionalEmbedding(steps=5, width=6, offset=4)
    assert {value["layer"].offset for value in _tried(full)} == {0, 1, 2, 3}


def _tried(layer):
    x = np.zeros((2, 5, 6))
    return [
        changes for *_, changes in layers._others(Case(name="", layer=layer, inputs=x, upstream=x))
    ]
