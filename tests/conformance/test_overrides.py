"""An override holds wherever the original is used: in every execution of every adapter, in training
and prediction, in what parity looks at, and in a layer alone.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.remote import RemoteBackend
from suite.parity.conformance.programs import Whole, linear, reals, task
from suite.parity.layer_checks import compare
from suite.plan.configurations import Configuration, reference_configuration
from suite.worker.installations import Installation
from tasks import spec
from tasks.parameters import uniform
from tests.conftest import PLUGINS

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(PLUGINS / "overridden")
    from tribench_overridden import EPSILON, LEFT_OUT, LOSS, RATE, WHOLE

EXECUTIONS = [
    ("numpy", "eager"),
    ("torch", "eager"),
    ("torch", "compiled"),
    ("jax", "compiled"),
    ("tensorflow", "eager"),
    ("tensorflow", "compiled"),
]
ONCE = [("numpy", "eager"), ("torch", "eager"), ("jax", "compiled"), ("tensorflow", "compiled")]
STEPS = 3
RATE_BEFORE = 0.01
LAYERS = (
    ("linear", spec.Linear(in_features=5, out_features=4)),
    ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
    ("relu", spec.ReLU()),
    ("fc", spec.Linear(in_features=4, out_features=3)),
)
SPEC = task("overridden", (5,), LAYERS, spec.SGD(learning_rate=RATE_BEFORE))


def in_plain_words():
    """What the overrides make of the task."""
    kept = [(name, layer) for name, layer in LAYERS if name != LEFT_OUT]
    layers = tuple(
        (name, replace(layer, epsilon=EPSILON) if name == "norm" else layer) for name, layer in kept
    )
    return task("plain", (5,), layers, spec.SGD(learning_rate=RATE_BEFORE * RATE * LOSS))


@pytest.fixture
def backends(real_installations, tmp_path, monkeypatch):
    """The plugin's adapter of this kind and framework, and the reference."""
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS / "overridden"))
    pools = []

    def start(kind, framework, execution):
        pools.append(WorkerPool(LiveWorkers(), tmp_path, "overrides"))
        real, name = real_installations[framework], f"{kind}-{framework}"
        installation = Installation(
            name=name, interpreter=real.interpreter, adapter=replace(real.adapter, name=name)
        )
        configuration = Configuration(
            installation=installation, execution=execution, precision="float64", device="cpu"
        )
        configurations = (configuration, reference_configuration(list(real_installations.values())))
        return [
            RemoteBackend(pools[-1], configuration, tmp_path) for configuration in configurations
        ]

    yield start
    for pool in pools:
        pool.close()


def same(found, wanted):
    errors = compare(found, wanted)
    return errors and max(errors.values()) < 1e-9


@pytest.mark.parametrize(("framework", "execution"), EXECUTIONS)
def test_an_override_holds_everywhere(framework, execution, backends):
    adapter, reference = backends("overridden", framework, execution)
    batch = reals((5,))
    program, plain = adapter.build(SPEC, batch), reference.build(in_plain_words(), batch)

    wanted = plain.capture()
    for name in wanted:
        if name == "loss" or name.startswith(("gradients/", "input_gradients/")):
            wanted[name] = LOSS * wanted[name]
    found = program.capture()
    assert same(found, wanted)
    assert {name for name in found if "activations" in name} == {
        name for name in wanted if "activations" in name
    }

    assert same(program.predict(), plain.predict())
    given = uniform(0, "x", (4, 4)), uniform(0, "dy", (4, 4))
    assert same(program.layer("norm", *given), plain.layer("norm", *given))

    gradients = {path: uniform(0, path, p.shape) for path, p in SPEC.model.parameters().items()}
    halved = {path: value / LOSS for path, value in gradients.items()}
    assert same(program.update(gradients), plain.update(halved))
    program.reset()
    plain.reset()
    losses = {name: LOSS * value for name, value in plain.train(0, STEPS).items()}
    assert same(program.train(0, STEPS), losses)
    assert same(program.state(), plain.state())


@pytest.mark.parametrize(("framework", "execution"), ONCE)
def test_a_whole_model_takes_the_place_of_forward(framework, execution, backends):
    adapter, reference = backends("ported", framework, execution)
    one = linear("ported", spec.SGD(learning_rate=0.1))
    assert one.name == WHOLE
    whole = Whole(one, reals((5,)))
    program, plain = (backend.build(whole.task, whole.batch) for backend in (adapter, reference))
    wanted = {
        name: array
        for name, array in plain.capture().items()
        if not name.startswith("input_gradients/")  # which a whole model does not show
    }
    found = program.capture()
    assert same(found, wanted)
    assert not [name for name in found if name.startswith("input_gradients/")]
    assert same(program.train(0, STEPS) | program.state(), plain.train(0, STEPS) | plain.state())
