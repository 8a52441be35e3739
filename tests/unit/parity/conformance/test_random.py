"""Conformance finds what can be wrong with dropout, and says what. The programs are the
reference's, with one fault each, in this process.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from backends.base import State, lowers
from backends.numpy import Backend
from suite.parity.conformance import random
from suite.parity.conformance.checks import THRESHOLDS, Broken
from suite.worker.workshop import everything
from tasks import spec

EXACT = SimpleNamespace(precision="float64")


class Local:
    """A RemoteProgram in this process."""

    def __init__(self, backend, task, start, batch=None):
        self.backend = SimpleNamespace(configuration=EXACT)
        self.made, self.start, self.batch = backend.build(task, start), start, batch
        self.program = SimpleNamespace(block=lambda *_, **__: SimpleNamespace(compiled=None))

    def predict(self):
        logits = self.made.predict(self.batch)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return {"loss": -np.log(shares[np.arange(len(logits)), self.batch.targets]).mean()}

    def train(self, first, last):
        rows = random.ORDER[first:last]
        return {"losses": [self.made.train_step(self.batch.take(each)) for each in rows]}

    def state(self):
        return everything(self.made.state())

    def restore(self, state):
        parameters = {k.removeprefix("parameters/"): a for k, a in state.items() if "." in k}
        seed, step = (int(state[name]) for name in ("seed", "step"))
        self.made.load_state(State(parameters=parameters, step=step, seed=seed))

    def reset(self, seed=0):
        self.made.load_state(State(parameters=self.start, seed=seed))

    def layer(self, place, inputs, upstream, valid):
        found = self.made.layer_vjp(place, inputs, upstream, valid)
        return {"output": found.output, "input_gradients": found.input_gradients}


def local(kind):
    """A RemoteBackend in this process."""

    def program(*given):
        return Local(kind(precision="float64"), *given)

    return SimpleNamespace(build_at=program, set_to=program, configuration=EXACT)


def dropping(change):
    """The reference's adapter with this dropout in place of its own."""

    class Changed(Backend):
        @lowers(spec.Dropout)
        def dropout(self, layer, parameters, x, context):
            return change(super().dropout, layer, x, context)

    return Changed


def unscaled(right, layer, x, context):
    return right(layer, {}, x * (1 - layer.rate) if context.training else x, context)


def unscaled_both_ways(right, layer, x, context):
    y, vjp = unscaled(right, layer, x, context)
    return y, lambda dy: (vjp(dy)[0] * (1 - layer.rate), {})


def active_in_evaluation(right, layer, x, context):
    return right(layer, {}, x, replace(context, training=True))


def the_same_every_step(right, layer, x, context):
    return right(layer, {}, x, replace(context, random=(context.random[0], 0)))


def keep_for_drop(right, layer, x, context):
    return right(replace(layer, rate=1 - layer.rate), {}, x, context)


def one_mask_for_all_samples(right, layer, x, context):
    factors, _ = right(layer, {}, np.ones_like(x[:1]), context)
    return x * factors, lambda dy: (dy * factors, {})


def whole_features(right, layer, x, context):
    factors, _ = right(layer, {}, np.ones_like(x[..., :1]), context)
    return x * factors, lambda dy: (dy * factors, {})


def one_mask_for_all_layers(right, layer, x, context):
    return right(layer, {}, x, replace(context, path=""))


def another_mask_backward(right, layer, x, context):
    factors, _ = right(layer, {}, np.ones_like(x), replace(context, path=f"{context.path} back"))
    return right(layer, {}, x, context)[0], lambda dy: (dy * factors, {})


def no_seed(right, layer, x, context):
    return right(layer, {}, x, replace(context, random=(0, context.random[1])))


def a_stream_that_goes_on(right, layer, x, context):
    count = np.random.default_rng().integers(2**32)
    return right(layer, {}, x, replace(context, random=(count, context.random[1])))


def nothing(right, layer, x, context):
    return x, lambda dy: (dy, {})


FAULTS = {
    unscaled: "loss of step 1",
    unscaled_both_ways: "in step 1 what is kept is not scaled by 1 / (1 - rate)",
    active_in_evaluation: "evaluation is not that of the parameters",
    the_same_every_step: "the masks of steps 1 and 2 agree in 1.00 of 2048 values",
    keep_for_drop: "what is kept is scaled by 1 / rate",
    one_mask_for_all_samples: "the masks of two samples agree in 1.00",
    whole_features: "the masks of two layers agree",
    one_mask_for_all_layers: "the masks of two layers agree in 1.00",
    another_mask_backward: "loss of step 1",
    no_seed: "the masks of two seeds agree in 1.00",
    a_stream_that_goes_on: "where a state is loaded, the same step drops other values",
    nothing: "in step 1 nothing is dropped",
}


def answer(kind) -> str:
    """What the check says; nothing where it passes."""
    try:
        errors = random.drops_as_it_is_to(local(kind), random.task(random.RATE))
    except Broken as error:
        return str(error)
    return next((name for name, error in errors.items() if error > THRESHOLDS["float64"]), "")


def test_the_reference_passes():
    assert answer(Backend) == ""
    for case in random.ALONE.values():
        errors = random.layer_alone_uses_one_mask(local(Backend), case)
        assert max(errors.values()) < 1e-12


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(fault):
    assert FAULTS[fault] in answer(dropping(fault))


@pytest.mark.parametrize("fault", [unscaled, another_mask_backward])
def test_a_layer_alone_shows_a_fault(fault):
    for case in random.ALONE.values():
        errors = random.layer_alone_uses_one_mask(local(dropping(fault)), case)
        assert max(errors.values()) > THRESHOLDS["bfloat16"]
