"""Parity of the batches that are timed: what a step's state tells, and where it points."""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity import sizes
from suite.parity.findings import MOST_OPERATIONS, Attempt
from suite.parity.sizes import _added, _first, _limit, _location, _smooth, _step, _widened
from suite.parity.thresholds import PRECISION
from suite.plan import catalogue
from tasks import spec

START = {"a": np.array([1.0, -2.0])}
RIGHT = {
    "loss": np.array(0.5),
    "parameters/a": np.array([0.9, -1.9]),
    "moments/a/velocity": np.array([1.0, -1.0]),
    "buffers/mean": np.array([0.3]),
    "step": np.array(1),
}


def shares(**changed):
    found = RIGHT | {name.replace("__", "/"): value for name, value in changed.items()}
    return _step(found, RIGHT, START, {"a"}, set())


def test_the_right_step_has_no_error():
    assert set(shares().values()) == {0.0}
    assert set(shares()) == {"loss/loss", "moments/a/velocity", "buffers/mean", "update/a"}


def test_a_step_without_its_update_is_wholly_wrong():
    assert shares(parameters__a=START["a"])["update/a"] == pytest.approx(1, abs=1e-5)


def test_rounding_of_a_parameter_is_no_error_of_its_update():
    tiny = {"parameters/a": START["a"] + 1e-9}
    right, found = RIGHT | tiny, RIGHT | {"parameters/a": START["a"]}
    assert _step(found, right, START, {"a"}, set())["update/a"] < sizes.UPDATE / 20


def test_a_rule_of_its_own_must_only_move():
    own = {"update"}
    moved = RIGHT | {"parameters/a": np.array([2.0, 2.0])}
    assert _step(moved, RIGHT, START, {"a"}, own) == {
        "loss/loss": 0.0,
        "buffers/mean": 0.0,
        "update/a": 0.0,
    }
    stands = RIGHT | {"parameters/a": START["a"]}
    assert _step(stands, RIGHT, START, {"a"}, own)["update/a"] == float("inf")


def test_a_parameter_that_training_does_not_move_is_not_compared():
    noise = {"parameters/a": START["a"] + 1.0, "moments/a/velocity": np.array([1e-9, 1e-9])}
    assert set(_step(RIGHT | noise, RIGHT, START, set(), set())) == {"loss/loss", "buffers/mean"}


def test_a_step_with_dropout_must_be_finite_and_move():
    drawn = {"loss", "buffers", "moments", "update"}
    other = RIGHT | {"loss": np.array(0.9), "parameters/a": np.array([2.0, 2.0])}
    assert _step(other, RIGHT, START, {"a"}, drawn) == {"loss/loss": 0.0, "update/a": 0.0}
    broken = {"loss": np.array(np.nan), "parameters/a": START["a"]}
    assert set(_step(RIGHT | broken, RIGHT, START, {"a"}, drawn).values()) == {float("inf")}


def test_what_a_second_step_did_otherwise_is_an_error():
    assert shares(again__loss=np.array(0.1))["again/loss"] == pytest.approx(0.1)
    model = catalogue.tasks()["rnn-tiny"].model
    assert _location("again/update", model).kind == "optimizer"


def test_a_backend_need_not_show_its_moments():
    bare = {key: value for key, value in RIGHT.items() if not key.startswith("moments/")}
    assert _step(bare, RIGHT, START, {"a"}, set()) == {
        "loss/loss": 0.0,
        "buffers/mean": 0.0,
        "update/a": 0.0,
    }


def test_what_is_missing_or_not_finite_is_infinitely_wrong():
    assert shares(moments__a__velocity=np.array([np.nan, 1.0]))["moments/a/velocity"] == float(
        "inf"
    )
    assert shares(buffers__mean=np.zeros(2))["buffers/mean"] == float("inf")


def test_the_place_is_the_first_that_a_step_comes_to():
    model = catalogue.tasks()["rnn-tiny"].model
    gradients = {f"moments/{path}/first": 2.0 for path in model.parameters()}
    updates = {f"update/{path}": 2.0 for path in model.parameters()}
    assert _first(updates | gradients | {"loss/loss": 2.0}, model) == "loss/loss"
    assert _location(_first(updates | gradients, model), model).path == "fc.bias"
    assert _location(_first(updates, model), model).kind == "optimizer"
    assert _location("predictions/logits", model).path == "fc"


def test_a_slow_reference_is_asked_about_fewer_samples():
    task = catalogue.tasks()["transformer-small"]
    assert Attempt(phase="train", size=task.timed_batch_size).distinct(task) is None
    many = int(MOST_OPERATIONS / task.model.flops())
    assert 1 <= Attempt(phase="train", size=many).distinct(task) < many


def test_gradients_behind_the_last_kink_are_held_to_less():
    tasks = catalogue.tasks()
    assert _smooth(tasks["rnn-tiny"].model) == set(tasks["rnn-tiny"].model.parameters())
    convolutional = _smooth(tasks["cnn-tiny"].model)
    assert "fc2.weight" in convolutional
    assert "conv1.weight" not in convolutional
    square = spec.Linear(in_features=4, out_features=4)
    tied = spec.ModelSpec(
        name="tied",
        input=spec.Input(shape=(4,)),
        layers=(("first", square), ("relu", spec.ReLU()), ("last", square)),
        ties=(("first.weight", "last.weight"),),
    )
    assert _smooth(tied) == {"last.bias"}
    limits = [
        _limit(f"moments/{path}/first", "float32", convolutional)
        for path in ("fc2.weight", "conv1.weight")
    ]
    assert limits == [3e-4, 0.3]


def test_what_correct_arithmetic_loses_widens_a_limit_but_not_without_end():
    limits = {"moments/a/first": 3e-4, "moments/b/first": 3e-4, "update/a": 0.5, "again/loss": 2e-5}
    rounding = {"moments/a/first": 1e-4, "moments/b/first": 0.9, "update/a": 1e-4}
    allowed = PRECISION["float32"] * 1e-4
    assert _widened(limits, rounding, "float32") == {
        "moments/a/first": pytest.approx(allowed),
        "moments/b/first": 0.3,
        "update/a": 0.5,
        "again/loss": 2e-5,
    }
    assert 3e-4 < allowed < 0.3


def test_a_norm_of_many_squares_may_be_off_by_more():
    tasks = catalogue.tasks()
    bert, unclipped, small = (
        tasks[name] for name in ("bert-base", "resnet50", "transformer-small")
    )
    assert 7.2e-4 < _added(bert, "float32") < 5e-3
    assert _added(bert, "float64") == 0
    assert unclipped.optimizer.clip_norm is None
    assert _added(unclipped, "float32") == 0
    assert small.optimizer.clip_norm is not None
    assert 0 < _added(small, "float32") < 3e-4  # the limit of small models is as before
