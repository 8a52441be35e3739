"""The reference's programs, and the laws that they keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backends.base import NotSupported, State, lowers
from backends.numpy import Backend
from tasks import cnn, rnn, spec
from tasks.base import Batch, probe_batch
from tasks.codec import bare
from tasks.parameters import probe, uniform
from tests.fixtures.reference_cases import (
    ATTENTIVE,
    CAUSAL,
    EXACT,
    LSTM,
    MODELS,
    RECURRENT,
    assert_close,
    lower,
    own_parameters,
    task_of,
)


@pytest.mark.parametrize("task", MODELS, ids=lambda task: task.name)
def test_a_training_step_updates_by_the_captured_gradients(task):
    parameters, batch = probe(task.model, 1), probe_batch(task, 4, 1)
    one, other = (Backend().build(task, parameters) for _ in range(2))
    capture = one.capture(one.put(batch))
    assert float(one.train_step(one.put(batch))) == capture.loss
    other.apply_update(capture.gradients)
    assert one.state().parameters.keys() == parameters.keys()
    for path, value in one.state().parameters.items():
        assert value.dtype == np.float64
        np.testing.assert_array_equal(value, other.state().parameters[path])
        assert (value != parameters[path]).any()


def test_training_continues_from_a_loaded_state():
    task = rnn.tiny()
    start, batch = probe(task.model, 1), probe_batch(task, 4, 1)
    given = {path: value.copy() for path, value in start.items()}
    one, other = Backend().build(task, given), Backend().build(task, probe(task.model, 2))
    for value in given.values():
        value[...] = 0.0  # the program has copies
    one.train_step(batch)
    state = one.state()
    other.load_state(state)
    for named in (state.parameters, *state.moments.values()):
        for value in named.values():
            value[...] = np.nan  # neither program shares the state's arrays
    losses = [float(one.train_step(batch)) for _ in range(3)]
    assert [float(other.train_step(batch)) for _ in range(3)] == losses
    assert np.isfinite(losses).all()
    assert one.state().step == other.state().step == 4
    one.load_state(State(parameters=start, buffers={}, moments={}, step=0))
    np.testing.assert_array_equal(one.predict(batch), Backend().build(task, start).predict(batch))


def test_everything_is_float64_whatever_the_batch_is_in():
    task = cnn.tiny()
    batch = probe_batch(task, 2, 1)
    batch = replace(batch, inputs=batch.inputs.astype(np.float32))
    wide = replace(batch, inputs=batch.inputs.astype(np.float64))
    program = Backend().build(
        task, {path: value.astype(np.float32) for path, value in probe(task.model, 1).items()}
    )
    assert program.put(batch).inputs.dtype == np.float64
    narrow, exact = program.capture(program.put(batch)), program.capture(program.put(wide))
    for found in (narrow.activations, narrow.gradients, narrow.input_gradients):
        assert {value.dtype for value in found.values()} == {np.dtype(np.float64)}
    np.testing.assert_array_equal(narrow.activations["fc2"], exact.activations["fc2"])


class Leaky(Backend):
    name = "leaky"

    @lowers(spec.ReLU)
    def leaky(self, layer, parameters, x, context):
        return np.where(x > 0, x, x / 10), lambda dy: (np.where(x > 0, dy, dy / 10), {})


def test_an_override_holds_everywhere():
    fc = spec.Linear(in_features=3, out_features=3)
    task = task_of((("fc", fc), ("relu", spec.ReLU())), spec.Input(shape=(3,)))
    parameters, batch = probe(task.model, 1), probe_batch(task, 4, 1)
    program = Leaky().build(task, parameters)
    z = batch.inputs @ parameters["fc.weight"].T + parameters["fc.bias"]
    leaked = np.where(z > 0, z, z / 10)
    assert (z < 0).any()
    assert_close(program.predict(batch), leaked, EXACT)
    assert_close(program.capture(batch).activations["relu"], leaked, EXACT)
    ones = np.ones_like(z)
    alone = program.layer_vjp("relu", z, ones).input_gradients
    assert_close(alone, np.where(z > 0, 1, 0.1), EXACT)


def test_what_it_cannot_do_it_says():
    class Unknown(spec.Layer):
        pass

    task = task_of((("fc", spec.Linear(in_features=2, out_features=2)),), spec.Input(shape=(2,)))
    odd = replace(task.model, layers=(*task.model.layers, ("odd", Unknown())))
    with pytest.raises(NotSupported, match="no lowering of Unknown"):
        Backend().build(replace(task, model=odd), probe(odd, 1))
    for wrong in ({"device": "cuda"}, {"precision": "float16"}, {"execution": "compiled"}):
        with pytest.raises(NotSupported, match=next(iter(wrong.values()))):
            Backend(**wrong)
    with pytest.raises(NotSupported, match="loss"):
        Backend().loss(Unknown(), np.zeros((1, 2)), np.zeros(1, dtype=int), None)
    with pytest.raises(NotSupported, match="optimizer"):
        Backend().update(spec.Optimizer(learning_rate=1.0), 1, {}, {}, {})


# Laws

VALID = arrays(bool, (3, 4))
SEEDS = st.integers(0, 2**32 - 1)
LAW = settings(max_examples=25, derandomize=True)


@pytest.mark.parametrize("task", [RECURRENT, ATTENTIVE], ids=["recurrent", "attentive"])
@given(valid=VALID, seed=SEEDS)
@LAW
def test_what_stands_at_padded_steps_changes_nothing(task, valid, seed):
    batch = replace(probe_batch(task, 3, seed), valid=valid)
    noise = 10 * uniform(seed, "noise", batch.inputs.shape)
    other = replace(batch, inputs=np.where(valid[..., None], batch.inputs, noise))
    program = Backend().build(task, probe(task.model, seed))
    one, two = program.capture(batch), program.capture(other)
    last = list(one.activations)[-1]
    np.testing.assert_allclose(one.activations[last], two.activations[last], atol=EXACT)
    assert set(one.gradients) == set(task.model.parameters())
    for path, gradient in one.gradients.items():
        np.testing.assert_allclose(gradient, two.gradients[path], atol=EXACT)
    first = next(place.path for place in task.model.places())
    dx = one.input_gradients[first]
    assert (dx[~valid] == 0).all()


@given(seed=SEEDS, now=st.integers(0, 3))
@LAW
def test_causal_attention_sees_no_later_step(seed, now):
    x, p = uniform(seed, "x", (2, 4, 6)), own_parameters(CAUSAL)
    later = x.copy()
    later[:, now + 1 :] = uniform(seed, "later", (2, 4, 6))[:, now + 1 :]
    (one, vjp), (two, _) = lower(CAUSAL, p, x), lower(CAUSAL, p, later)
    np.testing.assert_allclose(one[:, : now + 1], two[:, : now + 1], atol=EXACT)
    upstream = uniform(seed, "dy", one.shape)
    upstream[:, now + 1 :] = 0
    assert (vjp(upstream)[0][:, now + 1 :] == 0).all()


@given(valid=VALID, seed=SEEDS)
@LAW
def test_lstm_states_wait_at_padded_steps(valid, seed):
    """Where among the padding a row's valid steps stand does not matter, only their order."""
    x, p = uniform(seed, "x", (3, 4, 3)), own_parameters(LSTM)
    y, _ = lower(LSTM, p, x, valid)
    assert (y[~valid] == 0).all()
    pushed = np.argsort(valid, axis=1, kind="stable")  # all padding to the left
    rows = np.arange(3)[:, None]
    moved, _ = lower(LSTM, p, x[rows, pushed], valid[rows, pushed])
    np.testing.assert_allclose(moved, y[rows, pushed], atol=EXACT)


@pytest.mark.parametrize("task", [RECURRENT, ATTENTIVE, MODELS[1]], ids=["padded", "sum", "rnn"])
@given(seed=SEEDS, order=st.permutations(range(3)))
@LAW
def test_permuting_the_batch_permutes_the_outputs(task, seed, order):
    batch = probe_batch(task, 3, seed)
    if task is not MODELS[1]:
        batch = replace(batch, valid=uniform(seed, "valid", (3, 4)) < 0.5)
    program = Backend().build(task, probe(task.model, seed))
    one, two = program.capture(batch), program.capture(batch.take(np.array(order)))
    assert list(one.activations) == [place.path for place in task.model.places()]
    for path, value in one.activations.items():
        np.testing.assert_allclose(two.activations[path], value[order], atol=EXACT)
    assert two.loss == pytest.approx(one.loss, rel=EXACT)
    assert set(one.gradients) == set(task.model.parameters())
    for path, gradient in one.gradients.items():
        np.testing.assert_allclose(two.gradients[path], gradient, atol=EXACT)


def masks(layers, targets):
    """What the layers and the loss are told of the valid steps of two inputs of 2 samples."""
    seen = {}

    class Watching(Backend):
        def compute(self, layer, parameters, x, context):
            seen[context.path] = (context.valid, context.memory_valid)
            return super().compute(layer, parameters, x, context)

        def loss(self, loss, logits, targets, valid):
            seen["loss"] = valid
            return super().loss(loss, logits, targets, valid)

    inputs = {"left": spec.Input(shape=(3, 2)), "right": spec.Input(shape=(3, 2))}
    task = bare(
        spec.ModelSpec(name="m", inputs=inputs, layers=layers), spec.SGD(learning_rate=0.1), 2
    )
    program = Watching().build(task, {})
    values = {name: np.ones((2, 3, 2)) for name in inputs}
    valid = {"left": LEFT, "right": RIGHT}
    targets = np.zeros(targets, np.int32)
    program.train_step(program.put(Batch(inputs=values, targets=targets, valid=valid)))
    return seen


LEFT, RIGHT = np.arange(6).reshape(2, 3) > 1, np.arange(6).reshape(2, 3) < 5


def test_each_value_has_its_own_mask():
    layers = (
        ("on", spec.ReLU()),
        ("mean", spec.MeanSteps(), ("right",)),
        ("bare", spec.ReLU()),
        ("sum", spec.Residual(layers=(("mix", spec.ReLU()),)), ("on",)),
        ("pair", spec.Add(), ("sum", "on")),
        ("end", spec.LastStep()),
        ("last", spec.Add(), ("end", "bare")),
    )
    wanted = {
        "on": (LEFT, None),
        "mean": (RIGHT, None),
        "bare": (None, None),
        "mix": (LEFT, None),
        "pair": (LEFT, LEFT),
        "end": (LEFT, None),
        "last": (None, None),
        "loss": None,
    }
    np.testing.assert_equal(masks(layers, 2), wanted)


@pytest.mark.parametrize(("first", "mask"), [("left", LEFT), ("right", RIGHT)])
def test_the_loss_has_the_mask_of_the_logits(first, mask):
    layers = (("add", spec.Add(), (first, "left", "right")),)
    np.testing.assert_equal(masks(layers, (2, 3))["loss"], mask)
