"""Parameters: the same everywhere, for ever."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from suite.plan import catalogue
from tasks import spec
from tasks.models import bert
from tasks.parameters import initial, probe, truncated_normal, uniform
from tasks.spec import Input, ModelSpec, SpecError

TASKS = catalogue.tasks()
RECORDED_UNIFORM = [0.2711965389595714, 0.713309627058019, -0.2081216664862311]
RECORDED_INITIAL = "0492128ffdb3"


def digest(arrays):
    whole = sha256()
    for path, array in arrays.items():
        whole.update(path.encode() + array.tobytes())
    return whole.hexdigest()[:12]


def test_values_never_change():
    # Recorded once; another NumPy or machine must give the same bits.
    assert uniform(0, "a", (3,)).tolist() == RECORDED_UNIFORM
    assert digest(initial(TASKS["cnn-tiny"].model, 0)) == RECORDED_INITIAL


def test_a_new_layer_changes_no_other_layers_values():
    model = TASKS["cnn-tiny"].model
    longer = replace(
        model, layers=(*model.layers, ("fc3", spec.Linear(in_features=10, out_features=2)))
    )
    before, after = initial(model, 0), initial(longer, 0)
    assert before.keys() == after.keys() - {"fc3.weight", "fc3.bias"}
    assert all(np.array_equal(before[path], after[path]) for path in before)


def test_seeds_and_paths_have_streams_of_their_own():
    assert not np.array_equal(uniform(0, "a", (9,)), uniform(1, "a", (9,)))
    assert not np.array_equal(uniform(0, "a", (9,)), uniform(0, "b", (9,)))


def test_values_are_uniform():
    values = uniform(0, "x", (100_000,))
    assert values.min() >= -1
    assert values.max() < 1
    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1 / 3) < 0.01


@pytest.mark.parametrize("name", TASKS)
def test_probe_leaves_nothing_constant(name):
    found = probe(TASKS[name].model, 0)
    assert found.keys() == TASKS[name].model.parameters().keys()
    for path, array in found.items():
        assert array.dtype == np.float64
        assert array.std() > 0, path
        assert not np.isin(array, (0.0, 1.0)).any(), path


def test_tables_start_with_the_deviation_that_their_spec_names():
    table = spec.Embedding(vocabulary=500, width=40, initial_deviation=0.02)
    given = spec.Input(shape=(3,), vocabulary=500)
    model = spec.ModelSpec(name="m", input=given, layers=(("table", table),))
    assert initial(model, 0)["table.weight"].std() == pytest.approx(0.02, rel=0.02)


def test_a_cut_normal_distribution_has_its_moments_and_ends_at_two_deviations():
    values = 2 * truncated_normal(0, "a", (400, 250))
    assert values.min() >= -2
    assert values.max() < 2
    assert abs(values.mean()) < 0.01
    assert values.std() == pytest.approx(0.87962566, abs=0.01)
    assert np.mean(abs(values) < 1) == pytest.approx(0.6827 / 0.9545, abs=0.01)
    again = truncated_normal(0, "a", (400, 250))
    assert np.array_equal(values, 2 * again)


def test_cut_weights_start_with_their_deviation_and_biases_at_0():
    layer = spec.Linear(in_features=60, out_features=50, truncated_normal=0.02)
    model = ModelSpec(name="m", input=Input(shape=(60,)), layers=(("fc", layer),))
    start = initial(model, 0)
    assert abs(start["fc.weight"]).max() < 0.04
    assert start["fc.weight"].std() == pytest.approx(0.02 * 0.87962566, rel=0.05)
    assert not start["fc.bias"].any()
    with pytest.raises(SpecError, match="truncated_normal"):
        spec.Linear(in_features=6, out_features=5, truncated_normal=0.0)


def test_bert_starts_as_its_published_code_does():
    model = bert.bert(blocks=1, width=32, heads=2, hidden=64, vocabulary=90, rows=16, steps=8)
    for path, array in initial(model, 0).items():
        if path.endswith(".bias"):
            assert not array.any(), path
        elif "norm" not in path:
            assert abs(array).max() < 2 * bert.DEVIATION, path
