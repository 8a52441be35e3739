"""The reference's derivatives against central differences."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest

from backends.numpy import Backend
from tasks import spec, transformer
from tasks.base import probe_batch
from tasks.parameters import probe, uniform
from tests.fixtures.reference_cases import (
    ATTENTION,
    CASES,
    EXACT,
    MEMORY,
    MODELS,
    PADDED,
    PICTURES,
    RECURRENT,
    SEVERAL,
    TIED,
    TOLERANCE,
    TRANSLATED,
    TWO_PADDED,
    WORDS,
    assert_close,
    assert_same,
    context_of,
    differences,
    loss_at,
    lower,
    own_parameters,
    smooth,
    task_of,
)


@pytest.mark.parametrize(("layer", "shape", "valid"), CASES)
def test_layer_agrees_with_central_differences(layer, shape, valid):
    x = smooth(layer, (len(PADDED), *shape))
    parameters = own_parameters(layer)
    y, vjp = lower(layer, parameters, x, valid)
    assert y.shape == (len(x), *layer.output_shape(shape))
    upstream = uniform(3, "upstream", y.shape)
    dx, gradients = vjp(upstream)

    def objective(parameters, x):
        return np.sum(upstream * lower(layer, parameters, x, valid)[0])

    assert_close(dx, differences(lambda x: objective(parameters, x), x))
    assert set(gradients) == set(parameters)
    for name, gradient in gradients.items():
        numeric = differences(lambda p, n=name: objective(parameters | {n: p}, x), parameters[name])
        assert_close(gradient.value, numeric)
        assert gradient.scale >= np.linalg.norm(gradient.value)


def test_embedding_agrees_with_central_differences():
    layer, ids = spec.Embedding(vocabulary=5, width=2), np.array([[0, 3, 3], [3, 1, 0]])
    weight = own_parameters(layer)["weight"]
    y, vjp = lower(layer, {"weight": weight}, ids)
    assert [row.tolist() for row in y[0]] == [weight[i].tolist() for i in ids[0]]
    upstream = uniform(3, "upstream", y.shape)
    dx, gradients = vjp(upstream)
    assert dx is None
    numeric = differences(lambda w: np.sum(upstream * lower(layer, {"weight": w}, ids)[0]), weight)
    assert_close(gradients["weight"].value, numeric)


def test_loss_agrees_with_central_differences():
    logits, targets = 3 * uniform(1, "logits", (4, 3)), np.array([2, 0, 0, 1])

    def loss(logits):
        return Backend().loss(spec.CrossEntropy(), logits, targets, None)

    literal = [
        -np.log(np.exp(row[t]) / np.exp(row).sum()) for row, t in zip(logits, targets, strict=True)
    ]
    assert loss(logits)[0] == pytest.approx(np.mean(literal), rel=EXACT)
    assert_close(loss(logits)[1], differences(lambda z: loss(z)[0], logits))
    # Shifting a row's logits changes nothing, however large they become.
    assert loss(logits + 1e6)[0] == pytest.approx(loss(logits)[0], rel=1e-9)


@pytest.mark.parametrize("targets", [[[2, 0, -1], [-3, -1, 1]], [[2, 0, 1], [1, 1, 0]]])
def test_loss_of_steps_leaves_out_targets_below_0(targets):
    logits, targets = 3 * uniform(1, "logits", (2, 3, 4)), np.array(targets)

    def loss(logits):
        return Backend().loss(spec.CrossEntropy(), logits, targets, None)

    kept = targets >= 0
    alone = Backend().loss(spec.CrossEntropy(), logits[kept], targets[kept], None)
    assert loss(logits)[0] == alone[0]
    np.testing.assert_array_equal(loss(logits)[1][kept], alone[1])
    assert not loss(logits)[1][~kept].any()
    assert_close(loss(logits)[1], differences(lambda z: loss(z)[0], logits))


def test_loss_of_no_target_is_0():
    for shape in ((4, 3), (4, 2, 3)):
        value, gradient = Backend().loss(
            spec.CrossEntropy(), uniform(1, "z", shape), np.full(shape[:-1], -1), None
        )
        assert value == 0
        assert gradient.shape == shape
        assert not gradient.any()


def test_nested_residuals_agree_with_central_differences():
    inner = spec.Residual(layers=(("mid", spec.Linear(in_features=4, out_features=4)),))
    layers = (
        ("table", spec.Embedding(vocabulary=5, width=4)),
        ("sum1", spec.Residual(layers=(("attend", replace(ATTENTION, causal=True)),))),
        ("block", spec.Sequential(layers=(("sum2", spec.Residual(layers=(("sum3", inner),))),))),
        ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
        ("mean", spec.MeanSteps()),
        ("fc", spec.Linear(in_features=4, out_features=3)),
    )
    task = task_of(layers, spec.Input(shape=(4,), vocabulary=5))
    batch = replace(probe_batch(task, len(PADDED), 1), valid=PADDED)
    parameters = probe(task.model, 2)
    program = Backend().build(task, parameters)
    capture = program.capture(program.put(batch))
    places = [place.path for place in task.model.places()]
    assert list(capture.activations) == places
    assert "block.sum2" in places
    assert set(capture.gradients) == set(parameters) == set(task.model.parameters())
    for path, value in parameters.items():
        numeric = differences(lambda p, n=path: loss_at(task, parameters | {n: p}, batch), value)
        assert_close(capture.gradients[path], numeric)


def test_a_shortcut_and_batch_norm_agree_with_central_differences():
    convolution = spec.Conv2d(in_channels=2, out_channels=3, kernel_size=3, padding=1, bias=False)
    project = spec.Conv2d(in_channels=2, out_channels=3, kernel_size=1, bias=False)
    norm = spec.BatchNorm(channels=3, epsilon=1e-2, momentum=0.1)
    body, shortcut = (("conv", convolution), ("norm1", norm)), (("conv0", project), ("norm2", norm))
    layers = (
        ("sum", spec.Residual(layers=body, shortcut=shortcut)),
        ("gelu", spec.GELU()),
        ("pool", spec.AvgPool(size=3, stride=3)),
        ("flatten", spec.Flatten()),
        ("fc", spec.Linear(in_features=3, out_features=3)),
    )
    task = task_of(layers, spec.Input(shape=(2, 3, 3)))
    batch, parameters = probe_batch(task, 4, 1), probe(task.model, 2)
    program = Backend().build(task, parameters)
    before = program.state().buffers
    capture = program.capture(program.put(batch))
    assert list(capture.activations) == [place.path for place in task.model.places()]
    assert set(capture.gradients) == set(parameters) == set(task.model.parameters())
    for path, value in parameters.items():
        numeric = differences(
            lambda p, n=path: Backend().build(task, parameters | {n: p}).capture(batch).loss, value
        )
        assert_close(capture.gradients[path], numeric)
    assert set(capture.buffers) == set(task.model.buffers())
    assert len(capture.buffers) == 4  # a mean and a variance of each batch norm
    assert_same(program.state().buffers, before)
    program.train_step(program.put(batch))
    assert_same(program.state().buffers, capture.buffers)


@pytest.mark.parametrize(("layer", "shapes"), SEVERAL)
def test_a_layer_of_several_agrees_with_central_differences(layer, shapes):
    given = tuple(uniform(n, "inputs", (2, *shape)) for n, shape in enumerate(shapes))
    parameters = own_parameters(layer)
    y, vjp = lower(layer, parameters, given)
    assert y.shape == (2, *layer.output_shape(*shapes))
    upstream = uniform(3, "upstream", y.shape)
    every, gradients = vjp(upstream)
    assert set(gradients) == set(parameters)
    for name, value in parameters.items():
        numeric = differences(
            lambda p, n=name: np.sum(upstream * lower(layer, parameters | {n: p}, given)[0]), value
        )
        assert_close(gradients[name].value, numeric)
        assert gradients[name].scale >= np.linalg.norm(gradients[name].value)
    for number, (x, dx) in enumerate(zip(given, every, strict=True)):

        def objective(x, number=number):
            changed = (*given[:number], x, *given[number + 1 :])
            return np.sum(upstream * lower(layer, parameters, changed)[0])

        assert_close(dx, differences(objective, x), 1e-7)


@pytest.mark.parametrize("layer", MEMORY)
def test_attention_to_a_memory_agrees_with_central_differences(layer):
    given = tuple(uniform(n, "inputs", (6, steps, layer.width)) for n, steps in enumerate((4, 3)))
    parameters = own_parameters(layer)
    masks = {"valid": PADDED[::-1], "memory_valid": PADDED[:, 1:]}  # two of the memory see nothing
    context = replace(context_of(layer), **masks)

    def output(parameters, given):
        return lower(layer, parameters, given, context=context)[0]

    y, vjp = lower(layer, parameters, given, context=context)
    assert y.shape == given[0].shape
    upstream = uniform(3, "upstream", y.shape)
    every, gradients = vjp(upstream)
    for number, (x, dx) in enumerate(zip(given, every, strict=True)):

        def moved(x, number=number):
            changed = (*given[:number], x, *given[number + 1 :])
            return np.sum(upstream * output(parameters, changed))

        assert_close(dx, differences(moved, x))
    assert set(gradients) == set(parameters)
    for name, value in parameters.items():
        numeric = differences(
            lambda p, n=name: np.sum(upstream * output(parameters | {n: p}, given)), value
        )
        assert_close(gradients[name].value, numeric)
        assert gradients[name].scale >= np.linalg.norm(gradients[name].value)


def test_a_bias_of_keys_changes_nothing_where_nothing_turns_them():
    layer = replace(ATTENTION, key_bias=True)
    x, parameters = uniform(1, "inputs", (6, 4, 4)), own_parameters(layer)
    y, vjp = lower(layer, parameters, x, PADDED)
    assert_close(lower(ATTENTION, parameters, x, PADDED)[0], y, EXACT)
    _, gradients = vjp(uniform(3, "upstream", y.shape))
    found = gradients["key.bias"]
    assert np.linalg.norm(found.value) <= EXACT * found.scale


def test_named_inputs_with_a_memory_agree_with_central_differences():
    # Great enough that attention is not a mean, whose queries have gradients of 1e-8.
    task = TRANSLATED
    parameters = {path: 2 * value for path, value in probe(task.model, 2).items()}
    batch = replace(probe_batch(task, len(PADDED), 1), valid=TWO_PADDED)
    capture = Backend().build(task, parameters).capture(batch)
    assert set(capture.gradients) == set(capture.scales) == set(parameters)
    assert "own.weight" not in parameters
    for path, value in parameters.items():
        numeric = differences(
            lambda p, n=path: Backend().build(task, parameters | {n: p}).capture(batch).loss,
            value,
        )
        assert_close(capture.gradients[path], numeric, 1e-7)


def test_values_are_joined_in_the_order_of_their_names():
    first, second = np.arange(8.0).reshape(1, 2, 2, 2), np.full((1, 1, 2, 2), -1.0)
    joined, _ = lower(spec.Concat(), {}, (second, first))
    np.testing.assert_array_equal(joined[:, :1], second)
    np.testing.assert_array_equal(joined[:, 1:], first)


@pytest.mark.parametrize("task", [TIED, WORDS, PICTURES], ids=["tied", "words", "pictures"])
def test_a_graph_agrees_with_central_differences(task):
    batch, parameters = probe_batch(task, len(PADDED), 1), probe(task.model, 2)
    if task is WORDS:
        batch = replace(batch, valid=PADDED)
    program = Backend().build(task, parameters)
    capture = program.capture(program.put(batch))
    assert list(capture.activations) == [place.path for place in task.model.places()]
    assert set(capture.gradients) == set(capture.scales) == set(parameters)
    for path, value in parameters.items():
        numeric = differences(
            lambda p, n=path: Backend().build(task, parameters | {n: p}).capture(batch).loss, value
        )
        assert_close(capture.gradients[path], numeric, 1e-7)
        assert capture.scales[path] >= np.linalg.norm(capture.gradients[path])


@pytest.mark.parametrize("task", [WORDS, PICTURES], ids=["words", "pictures"])
def test_layers_alone_give_what_a_graph_gave(task):
    """An input gradient is through one layer alone; those of all that take a value add up."""
    valid = PADDED if task is WORDS else None
    batch = replace(probe_batch(task, len(PADDED), 1), valid=valid)
    program = Backend().build(task, probe(task.model, 2))
    capture = program.capture(batch)
    values = {**capture.activations, "": batch.inputs}
    places = task.model.places()
    _, dlogits = Backend().loss(task.loss, values[places[-1].path], batch.targets, None)
    upstream = {places[-1].path: dlogits}
    inner = dict(capture.input_gradients)
    for place in reversed(places):
        dy, several = upstream[place.path], len(place.sources) > 1
        if isinstance(place.layer, spec.Residual):
            every = (dy, dy)
        else:
            given = tuple(values[source] for source in place.sources)
            inputs = given if several else given[0]
            alone = program.layer_vjp(place.path, inputs, dy, valid)
            assert_close(alone.output, values[place.path], EXACT)
            every = alone.input_gradients if several else (alone.input_gradients,)
            for number, dx in enumerate(every):
                if dx is not None:
                    name = f"{place.path}/{number}" if several else place.path
                    assert_close(inner.pop(name), dx, EXACT)
        for source, dx in zip(place.sources, every, strict=True):
            upstream[source] = upstream.get(source, 0) + (0 if dx is None else dx)
    assert not inner


def test_a_layer_with_a_tied_parameter_alone_is_given_its_owners():
    program = Backend().build(TIED, probe(TIED.model, 2))
    x, dy = uniform(0, "x", (3, 4)), uniform(0, "dy", (3, 4))
    found = program.layer_vjp("square", x, dy)
    own = program.state().parameters
    assert_close(found.output, x @ own["again.weight"].T + own["square.bias"], EXACT)
    assert_close(found.gradients["weight"], dy.T @ x, EXACT)
    assert set(found.gradients) == {"weight", "bias"}


def test_tied_parameters_are_trained_as_one():
    program = Backend().build(TIED, probe(TIED.model, 2))
    batch = probe_batch(TIED, 4, 1)
    before, capture = program.state(), program.capture(batch)
    program.train_step(batch)
    after = program.state()
    assert after.parameters.keys() == before.parameters.keys() == TIED.model.parameters().keys()
    for path, value in after.parameters.items():
        assert_close(value, before.parameters[path] - 0.1 * capture.gradients[path], EXACT)


@pytest.mark.parametrize("task", MODELS, ids=lambda task: task.name)
def test_tiny_model_agrees_with_central_differences(task):
    parameters, batch = probe(task.model, 1), probe_batch(task, 2, 1)
    program = Backend().build(task, parameters)
    capture = program.capture(program.put(batch))
    assert set(capture.gradients) == set(capture.scales) == set(task.model.parameters())
    rng = np.random.default_rng(1)
    step = 1e-6  # so small that no unit of the CNN comes upon a kink
    for path, gradient in capture.gradients.items():
        directions = [gradient, *rng.standard_normal((2, *gradient.shape))]
        for direction in directions:
            direction = direction / np.linalg.norm(direction)
            forth, back = (
                loss_at(task, parameters | {path: parameters[path] + sign * direction}, batch)
                for sign in (step, -step)
            )
            along = np.sum(gradient * direction)
            floor = np.linalg.norm(gradient) / sqrt(gradient.size)  # a typical derivative
            assert abs((forth - back) / (2 * step) - along) <= TOLERANCE * max(abs(along), floor)


@pytest.mark.parametrize("task", [*MODELS[:2], RECURRENT], ids=["cnn", "rnn", "padded"])
def test_layers_alone_give_what_the_chain_gave(task):
    valid = PADDED[1:4] if task is RECURRENT else None
    batch = replace(probe_batch(task, 3, 1), valid=valid)
    program = Backend().build(task, probe(task.model, 1))
    capture = program.capture(program.put(batch))
    layers = {place.path: place.layer for place in task.model.places()}
    paths = list(layers)
    for before, path, after in zip([None, *paths[:-2]], paths[:-1], paths[1:], strict=True):
        inputs = capture.activations[before] if before else batch.inputs
        alone = program.layer_vjp(path, inputs, capture.input_gradients[after], valid)
        assert set(alone.gradients) == set(layers[path].parameters())
        np.testing.assert_array_equal(alone.output, capture.activations[path])
        np.testing.assert_array_equal(alone.input_gradients, capture.input_gradients[path])
        for name, gradient in alone.gradients.items():
            np.testing.assert_array_equal(gradient, capture.gradients[f"{path}.{name}"])


def test_input_gradients_are_through_the_layer_alone():
    fc = spec.Linear(in_features=3, out_features=3)
    task = task_of((("sum", spec.Residual(layers=(("fc", fc),))),), spec.Input(shape=(3,)))
    parameters, batch = probe(task.model, 1), probe_batch(task, 4, 1)
    capture = Backend().build(task, parameters).capture(batch)
    _, dlogits = Backend().loss(task.loss, capture.activations["sum"], batch.targets, None)
    assert_close(capture.input_gradients["fc"], dlogits @ parameters["fc.weight"], EXACT)
    assert set(capture.input_gradients) == {"fc"}


def test_token_ids_have_no_input_gradient():
    task = transformer.tiny()
    program = Backend().build(task, probe(task.model, 1))
    capture = program.capture(program.put(probe_batch(task, 2, 1)))
    plain = {p.path for p in task.model.places() if not isinstance(p.layer, spec.Residual)}
    assert set(capture.input_gradients) == plain - {"embedding"}
