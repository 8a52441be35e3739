"""The reference against central differences, literal transcriptions of the specs, and laws."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backends.base import Context, NotSupported, State, lowers
from backends.numpy import Backend
from tasks import cnn, rnn, spec, transformer
from tasks.base import Batch, Task, probe_batch
from tasks.codec import NamedData
from tasks.parameters import probe, uniform

TOLERANCE = 1e-6  # of central differences, relative to the norm
EXACT = 1e-12  # two orders of computing the same thing in float64

PADDED = np.array(
    [[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool
)
ATTENTION = spec.Attention(width=4, heads=2)
CAUSAL = spec.Attention(width=6, heads=3, causal=True)
LSTM = spec.LSTM(input_size=3, hidden_size=2, num_layers=2)
NORM = spec.LayerNorm(width=5, epsilon=0.1)


def conv(kernel_size: int, stride: int, padding: int, bias: bool = True) -> spec.Conv2d:
    return spec.Conv2d(
        in_channels=2,
        out_channels=3,
        kernel_size=kernel_size,
        stride=stride,
        padding=padding,
        bias=bias,
    )


CONVOLUTIONS = [
    (conv(3, 1, 1), (2, 5, 4)),
    (conv(3, 2, 1), (2, 6, 6)),
    (conv(3, 2, 1), (2, 5, 7)),
    (conv(3, 2, 0), (2, 6, 4)),  # a row and a column are left over
    (conv(2, 1, 0, bias=False), (2, 3, 4)),
    (conv(2, 3, 2), (2, 4, 5)),  # strides over whole columns
    (conv(1, 2, 0), (2, 4, 3)),
]
POOLS = [
    (spec.MaxPool(size=2, stride=2), (2, 4, 6)),
    (spec.MaxPool(size=2, stride=2), (1, 5, 3)),  # left over
    (spec.MaxPool(size=3, stride=2), (2, 7, 6)),  # overlap, left over
    (spec.MaxPool(size=3, stride=1), (1, 5, 4)),
    (spec.MaxPool(size=1, stride=2), (2, 3, 4)),
]
SEQUENCES = [
    (ATTENTION, (4, 4)),
    (CAUSAL, (4, 6)),
    (LSTM, (4, 3)),
    (spec.LSTM(input_size=2, hidden_size=3, num_layers=1), (4, 2)),
    (spec.LastStep(), (4, 3)),
    (spec.MeanSteps(), (4, 3)),
]
OTHERS = [
    (spec.ReLU(), (2, 3)),
    (spec.Flatten(), (2, 3, 2)),
    (spec.Linear(in_features=3, out_features=4), (3,)),
    (spec.Linear(in_features=3, out_features=2, bias=False), (4, 3)),
    (spec.PositionalEncoding(width=4), (5, 4)),
    (NORM, (5,)),
    (NORM, (3, 5)),
]
CASES = [
    *((layer, shape, None) for layer, shape in CONVOLUTIONS + POOLS + SEQUENCES + OTHERS),
    *((layer, shape, PADDED) for layer, shape in SEQUENCES),
]
MODELS = [cnn.tiny(), rnn.tiny(), transformer.tiny()]


def smooth(layer: spec.Layer, shape: tuple[int, ...]) -> np.ndarray:
    """Random inputs further from kinks and ties than any difference taken here."""
    x = uniform(1, "inputs", shape)
    if isinstance(layer, spec.MaxPool):
        return x.ravel().argsort().reshape(shape) / x.size
    return x + 0.1 * np.sign(x)


def lower(layer, parameters, x, valid=None, backend=None):
    context = Context(path="layer", training=True, valid=valid)
    return (backend or Backend()).lowering(layer)(layer, parameters, x, context)


def own_parameters(layer: spec.Layer) -> dict[str, np.ndarray]:
    return {
        name: uniform(2, name, parameter.shape) for name, parameter in layer.parameters().items()
    }


def differences(function, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function by central differences, each coordinate alone."""
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[index] = step
        gradient[index] = (function(at + shift) - function(at - shift)) / (2 * step)
    return gradient


def assert_close(found, wanted, tolerance=TOLERANCE) -> None:
    assert np.shape(found) == np.shape(wanted)
    assert np.linalg.norm(found - wanted) <= tolerance * np.linalg.norm(wanted)


def task_of(layers: spec.Layers, given: spec.Input, optimizer=None) -> Task:
    return Task(
        name="t",
        model=spec.ModelSpec(name="t", input=given, layers=layers),
        data=NamedData(name="none"),
        loss=spec.CrossEntropy(),
        optimizer=optimizer or spec.SGD(learning_rate=0.1),
        batch_size=4,
        timed_batch_size=4,
        epochs=1,
    )


def loss_at(task: Task, parameters, batch: Batch) -> float:
    backend = Backend()
    program = backend.build(task, parameters)
    logits = program.predict(program.put(batch))
    return backend.loss(task.loss, logits, batch.targets, batch.valid)[0]


RECURRENT = task_of((("lstm", LSTM), ("last", spec.LastStep())), spec.Input(shape=(4, 3)))
ATTENTIVE = task_of(
    (
        ("sum", spec.Residual(layers=(("attention", ATTENTION),))),
        ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
        ("mean", spec.MeanSteps()),
    ),
    spec.Input(shape=(4, 4)),
)


# Derivatives


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
    for path, value in parameters.items():
        numeric = differences(lambda p, n=path: loss_at(task, parameters | {n: p}, batch), value)
        assert_close(capture.gradients[path], numeric)


@pytest.mark.parametrize("task", MODELS, ids=lambda task: task.name)
def test_tiny_model_agrees_with_central_differences(task):
    parameters, batch = probe(task.model, 1), probe_batch(task, 2, 1)
    program = Backend().build(task, parameters)
    capture = program.capture(program.put(batch))
    assert set(capture.gradients) == set(capture.scales) == set(parameters)
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
    paths = [place.path for place in task.model.places()]
    for before, path, after in zip([None, *paths[:-2]], paths[:-1], paths[1:], strict=True):
        inputs = capture.activations[before] if before else batch.inputs
        alone = program.layer_vjp(path, inputs, capture.input_gradients[after], valid)
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


# Values, against literal transcriptions


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS)
def test_convolution_is_the_sum_that_the_spec_writes(layer, shape):
    x, parameters = uniform(1, "x", (2, *shape)), own_parameters(layer)
    y, _ = lower(layer, parameters, x)
    s, p = layer.stride, layer.padding

    def pixel(n, c, row, column):
        inside = 0 <= row < shape[1] and 0 <= column < shape[2]
        return x[n, c, row, column] if inside else 0.0

    for n, o, i, j in np.ndindex(y.shape):
        wanted = parameters["bias"][o] if layer.bias else 0.0
        for (c, u, v), w in np.ndenumerate(parameters["weight"][o]):
            wanted += w * pixel(n, c, i * s + u - p, j * s + v - p)
        assert y[n, o, i, j] == pytest.approx(wanted, abs=EXACT)


@pytest.mark.parametrize(("layer", "shape"), POOLS)
def test_pooling_is_the_greatest_of_each_window(layer, shape):
    x = uniform(1, "x", (2, *shape))
    y, _ = lower(layer, {}, x)
    for n, c, i, j in np.ndindex(y.shape):
        top, left = i * layer.stride, j * layer.stride
        assert y[n, c, i, j] == x[n, c, top : top + layer.size, left : left + layer.size].max()


def test_layer_norm_is_the_formula():
    x, parameters = uniform(1, "x", (2, 3, 5)), own_parameters(NORM)
    y, _ = lower(NORM, parameters, x)
    for n, t in np.ndindex(2, 3):
        row = x[n, t].tolist()
        mean = sum(row) / 5
        variance = sum((value - mean) ** 2 for value in row) / 5
        for f in range(5):
            normal = (row[f] - mean) / sqrt(variance + 0.1)
            wanted = normal * parameters["weight"][f] + parameters["bias"][f]
            assert y[n, t, f] == pytest.approx(wanted, abs=EXACT)


@pytest.mark.parametrize("layer", [ATTENTION, CAUSAL])
@pytest.mark.parametrize("valid", [None, PADDED])
def test_attention_is_the_formula_step_by_step(layer, valid):
    x = uniform(1, "x", (len(PADDED), 4, layer.width))
    p, d = own_parameters(layer), layer.width // layer.heads
    y, _ = lower(layer, p, x, valid)
    seen = np.ones((len(x), 4), dtype=bool) if valid is None else valid
    for n, t in np.ndindex(len(x), 4):
        keys = [k for k in range(4) if seen[n, k] and (k <= t or not layer.causal)]
        mixed = np.zeros(layer.width)
        for start in range(0, layer.width, d) if keys else ():
            head = slice(start, start + d)
            query = p["query.weight"][head] @ x[n, t] + p["query.bias"][head]
            scores = [query @ (p["key.weight"][head] @ x[n, k]) / sqrt(d) for k in keys]
            weights = np.exp(scores) / np.sum(np.exp(scores))
            for weight, k in zip(weights, keys, strict=True):
                value = p["value.weight"][head] @ x[n, k] + p["value.bias"][head]
                mixed[head] += weight * value
        assert_close(y[n, t], p["output.weight"] @ mixed + p["output.bias"], EXACT)


@pytest.mark.parametrize("valid", [None, PADDED])
def test_lstm_is_the_recurrence_over_the_valid_steps(valid):
    x, p = uniform(1, "x", (len(PADDED), 4, 3)), own_parameters(LSTM)
    y, _ = lower(LSTM, p, x, valid)
    for n in range(len(x)):
        steps = range(4) if valid is None else np.flatnonzero(valid[n])
        wanted, rows = np.zeros((4, 2)), [x[n, t] for t in steps]
        for level in range(2):
            w_ih, w_hh, b_ih, b_hh = (
                p[f"{name}_l{level}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h, c, outputs = np.zeros(2), np.zeros(2), []
            for row in rows:
                gates = (w_ih @ row + b_ih + w_hh @ h + b_hh).reshape(4, 2)
                i, f, o = (1 / (1 + np.exp(-gates[gate])) for gate in (0, 1, 3))
                c = f * c + i * np.tanh(gates[2])
                h = o * np.tanh(c)
                outputs.append(h)
            rows = outputs
        wanted[list(steps)] = np.reshape(rows, (-1, 2))
        assert np.abs(y[n] - wanted).max() <= EXACT


def test_positional_encoding_interleaves_sine_and_cosine():
    y, _ = lower(spec.PositionalEncoding(width=4), {}, np.zeros((1, 3, 4)))
    for t in range(3):
        wanted = [np.sin(t), np.cos(t), np.sin(t / 100), np.cos(t / 100)]
        assert y[0, t].tolist() == pytest.approx(wanted, abs=EXACT)


def test_steps_that_are_valid_make_the_last_and_the_mean():
    x = uniform(1, "x", (len(PADDED), 4, 3))
    last, _ = lower(spec.LastStep(), {}, x, PADDED)
    mean, _ = lower(spec.MeanSteps(), {}, x, PADDED)
    for n, row in enumerate(PADDED):
        steps = [x[n, t] for t in range(4) if row[t]]
        assert last[n].tolist() == (steps[-1].tolist() if steps else [0, 0, 0])
        average = np.mean(steps, axis=0).tolist() if steps else [0, 0, 0]
        assert mean[n].tolist() == pytest.approx(average)


def test_flatten_has_channels_slowest():
    y, _ = lower(spec.Flatten(), {}, np.arange(24.0).reshape(2, 3, 2, 2))
    assert y.tolist() == [list(range(12)), list(range(12, 24))]


# Kinks, ties and rows without a valid step: by the rule


def test_pooling_gives_a_tie_to_the_first_index_in_row_order():
    x = np.array([[0, 5, 5, 0], [5, 5, 5, 5], [0, 5, 0, 0]], dtype=float)[None, None]
    _, vjp = lower(spec.MaxPool(size=2, stride=1), {}, x)
    dx, _ = vjp(np.array([[1, 2, 4], [8, 16, 32]], dtype=float)[None, None])
    assert dx[0, 0].tolist() == [[0, 3, 4, 0], [8, 16, 32, 0], [0, 0, 0, 0]]


def test_relu_has_slope_zero_at_zero():
    y, vjp = lower(spec.ReLU(), {}, np.array([[-1.0, 0.0, -0.0, 2.0]]))
    assert y.tolist() == [[0, 0, 0, 2]]
    assert vjp(np.full((1, 4), 3.0))[0].tolist() == [[0, 0, 0, 3]]


@pytest.mark.parametrize("layer", [ATTENTION, CAUSAL])
def test_attention_that_sees_nothing_projects_zero_and_passes_no_gradient(layer):
    x, p = uniform(1, "x", (1, 3, layer.width)), own_parameters(layer)
    y, vjp = lower(layer, p, x, np.zeros((1, 3), dtype=bool))
    assert (y == p["output.bias"]).all()
    dx, gradients = vjp(uniform(2, "dy", y.shape))
    assert (dx == 0).all()
    assert gradients["output.bias"].scale > 0
    assert all((g.value == 0).all() for name, g in gradients.items() if name != "output.bias")


# Scales


def test_scale_is_the_norm_of_the_sum_over_absolute_values():
    layer, x = spec.Linear(in_features=2, out_features=1), np.array([[3.0, 1.0], [3.0, -1.0]])
    _, vjp = lower(layer, own_parameters(layer), x)
    _, gradients = vjp(np.array([[2.0], [-2.0]]))
    assert gradients["weight"].value.tolist() == [[0, 4]]
    assert gradients["weight"].scale == pytest.approx(sqrt(12**2 + 4**2))
    assert gradients["bias"] == (0, 4)
    ids = np.array([[0, 0, 1]])
    table = spec.Embedding(vocabulary=3, width=1)
    _, vjp = lower(table, own_parameters(table), ids)
    gradient = vjp(np.array([[[1.0], [-1.0], [3.0]]]))[1]["weight"]
    assert gradient.value.tolist() == [[0], [3], [0]]
    assert gradient.scale == pytest.approx(sqrt(2**2 + 3**2))


# Optimizers, against a literal transcription for single numbers

SGD = spec.SGD(learning_rate=0.1)
ADAMW = spec.AdamW(learning_rate=0.1, beta1=0.8, beta2=0.95, epsilon=1e-3)
FORMS = [
    form
    for base in (SGD, replace(SGD, momentum=0.9), replace(SGD, momentum=0.9, nesterov=True), ADAMW)
    for form in (
        base,
        replace(base, weight_decay=0.2),
        replace(base, clip_norm=0.5),
        replace(base, clip_norm=100.0),
        replace(base, warmup_steps=3),
        replace(base, weight_decay=0.2, clip_norm=0.5, warmup_steps=3),
    )
]


def literally(optimizer, thetas: list[float], gradients: list[list[float]]) -> list[float]:
    thetas = list(thetas)
    a, b = [0.0] * len(thetas), [0.0] * len(thetas)
    for t, found in enumerate(gradients, start=1):
        norm = sqrt(sum(g * g for g in found))
        factor = 1.0 if optimizer.clip_norm is None else min(1.0, optimizer.clip_norm / norm)
        warm = min(1.0, t / optimizer.warmup_steps) if optimizer.warmup_steps else 1.0
        eta = optimizer.learning_rate * warm
        for k, theta in enumerate(thetas):
            g = factor * found[k]
            if isinstance(optimizer, spec.SGD):
                g += optimizer.weight_decay * theta
                a[k] = optimizer.momentum * a[k] + g
                step = g + optimizer.momentum * a[k] if optimizer.nesterov else a[k]
            else:
                a[k] = optimizer.beta1 * a[k] + (1 - optimizer.beta1) * g
                b[k] = optimizer.beta2 * b[k] + (1 - optimizer.beta2) * g * g
                mean = a[k] / (1 - optimizer.beta1**t)
                step = mean / (sqrt(b[k] / (1 - optimizer.beta2**t)) + optimizer.epsilon)
                step += optimizer.weight_decay * theta
            thetas[k] = theta - eta * step
    return thetas


@pytest.mark.parametrize("optimizer", FORMS, ids=str)
def test_optimizer_is_the_formula(optimizer):
    task = task_of(
        (("fc", spec.Linear(in_features=2, out_features=2)),), spec.Input(shape=(2,)), optimizer
    )
    start = probe(task.model, 1)
    program = Backend().build(task, start)
    given = [{path: uniform(t, path, p.shape) for path, p in start.items()} for t in range(5)]
    updates = [program.apply_update(gradients) for gradients in given]
    flat = [np.concatenate([g[path].ravel() for path in start]).tolist() for g in given]
    first = np.concatenate([p.ravel() for p in start.values()])
    wanted = literally(optimizer, first.tolist(), flat)
    state = program.state()
    assert state.step == 5
    assert all(tuple(named) == optimizer.moments() for named in state.moments.values())
    found = np.concatenate([state.parameters[path].ravel() for path in start])
    assert found.tolist() == pytest.approx(wanted, rel=EXACT)
    moved = sum(np.concatenate([update[path].ravel() for path in start]) for update in updates)
    assert moved.tolist() == pytest.approx((found - first).tolist(), rel=1e-9)


def test_clipping_leaves_zero_gradients_alone():
    task = task_of(
        (("fc", spec.Linear(in_features=2, out_features=2)),),
        spec.Input(shape=(2,)),
        replace(SGD, clip_norm=1.0),
    )
    start = probe(task.model, 1)
    update = Backend().build(task, start).apply_update({p: 0 * a for p, a in start.items()})
    assert all((change == 0).all() for change in update.values())


# The program


@pytest.mark.parametrize("task", MODELS, ids=lambda task: task.name)
def test_a_training_step_updates_by_the_captured_gradients(task):
    parameters, batch = probe(task.model, 1), probe_batch(task, 4, 1)
    one, other = (Backend().build(task, parameters) for _ in range(2))
    capture = one.capture(one.put(batch))
    assert float(one.train_step(one.put(batch))) == capture.loss
    other.apply_update(capture.gradients)
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
    for wrong in ({"device": "cuda"}, {"precision": "float32"}, {"execution": "compiled"}):
        with pytest.raises(NotSupported, match=next(iter(wrong.values()))):
            Backend(**wrong)
    with pytest.raises(NotSupported, match="loss"):
        Backend().loss(Unknown(), np.zeros((1, 2)), np.zeros(1, dtype=int), None)
    with pytest.raises(NotSupported, match="optimizer"):
        Backend().update(spec.Optimizer(learning_rate=1.0), 1, {}, {}, {})


# Laws

VALID = arrays(bool, (3, 4))
SEEDS = st.integers(0, 2**32 - 1)
LAW = settings(max_examples=25, deadline=None, derandomize=True)


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
    for path, value in one.activations.items():
        np.testing.assert_allclose(two.activations[path], value[order], atol=EXACT)
    assert two.loss == pytest.approx(one.loss, rel=EXACT)
    for path, gradient in one.gradients.items():
        np.testing.assert_allclose(two.gradients[path], gradient, atol=EXACT)
