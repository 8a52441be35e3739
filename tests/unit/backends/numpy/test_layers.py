"""The reference's values against literal transcriptions; ties, kinks, scales."""

from __future__ import annotations

from dataclasses import replace
from math import erf, exp, pi, sqrt, tanh

import numpy as np
import pytest

from tasks import spec
from tasks.parameters import uniform
from tests.fixtures.reference_cases import (
    ALONG,
    ATTENTION,
    BATCH_NORM,
    CAUSAL,
    CONVOLUTIONS,
    EXACT,
    GRU,
    LSTM,
    MEANS,
    NORM,
    PADDED,
    POOLS,
    RMS_NORM,
    UNSCALED,
    assert_close,
    context_of,
    lower,
    own_parameters,
)

ONE = np.arange(24).reshape(6, 4) == 6  # a single valid step in all

# Values, against literal transcriptions


@pytest.mark.parametrize(("layer", "shape"), CONVOLUTIONS)
def test_convolution_is_the_sum_that_the_spec_writes(layer, shape):
    x, parameters = uniform(1, "x", (2, *shape)), own_parameters(layer)
    y, _ = lower(layer, parameters, x)
    assert y.shape == (2, *layer.output_shape(shape))
    s, p = spec.pair(layer.stride), spec.pair(layer.padding)
    seen, made = (n // layer.groups for n in (layer.in_channels, layer.out_channels))

    def pixel(n, c, row, column):
        inside = 0 <= row < shape[1] and 0 <= column < shape[2]
        return x[n, c, row, column] if inside else 0.0

    for n, o, i, j in np.ndindex(y.shape):
        wanted = parameters["bias"][o] if layer.bias else 0.0
        for (c, u, v), w in np.ndenumerate(parameters["weight"][o]):
            own = o // made * seen + c
            wanted += w * pixel(n, own, i * s[0] + u - p[0], j * s[1] + v - p[1])
        assert y[n, o, i, j] == pytest.approx(wanted, abs=EXACT)


def window(layer, image, i, j):
    """Of one channel, NaN where it is padding."""
    padded = np.pad(image, layer.padding, constant_values=np.nan)
    top, left = i * layer.stride, j * layer.stride
    return padded[top : top + layer.size, left : left + layer.size]


@pytest.mark.parametrize(("layer", "shape"), POOLS)
def test_pooling_is_the_greatest_of_each_window(layer, shape):
    x = uniform(1, "x", (2, *shape))
    y, _ = lower(layer, {}, x)
    assert y.shape == (2, *layer.output_shape(shape))
    for n, c, i, j in np.ndindex(y.shape):
        assert y[n, c, i, j] == np.nanmax(window(layer, x[n, c], i, j))


@pytest.mark.parametrize(("layer", "shape"), MEANS)
def test_average_pooling_is_the_mean_of_each_window(layer, shape):
    x = uniform(1, "x", (2, *shape))
    y, _ = lower(layer, {}, x)
    assert y.shape == (2, *layer.output_shape(shape))
    for n, c, i, j in np.ndindex(y.shape):
        places = window(layer, x[n, c], i, j)
        wanted = np.nansum(places) / places.size if layer.count_padding else np.nanmean(places)
        assert y[n, c, i, j] == pytest.approx(wanted, abs=EXACT)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layer", [BATCH_NORM, UNSCALED])
def test_batch_norm_is_the_formula_with_the_batchs_or_the_running_statistics(layer, training):
    x, p = uniform(1, "x", (4, 2, 3, 2)), own_parameters(layer)
    context = context_of(layer, training=training)
    y, _ = lower(layer, p, x, context=context)
    for c in range(2):
        values = x[:, c].ravel().tolist()
        old_mean = context.buffers["layer.running_mean"][c]
        old_variance = context.buffers["layer.running_var"][c]
        mean, variance = old_mean, old_variance
        if training:
            mean = sum(values) / 24
            squares = sum((value - mean) ** 2 for value in values)
            variance = squares / 24
            new = context.new_buffers
            assert new["layer.running_mean"][c] == pytest.approx(0.8 * old_mean + 0.2 * mean)
            wanted = 0.8 * old_variance + 0.2 * squares / 23
            assert new["layer.running_var"][c] == pytest.approx(wanted)
        normal = (x[:, c] - mean) / sqrt(variance + 0.1)
        scale = p["weight"][c] if layer.scale else 1
        assert_close(y[:, c], normal * scale + p["bias"][c], EXACT)
    assert bool(context.new_buffers) == training


def test_gelu_is_the_formula():
    x = np.linspace(-6, 6, 49)[None]
    exact, _ = lower(spec.GELU(), {}, x)
    near, _ = lower(spec.GELU(approximate=True), {}, x)
    assert_close(exact[0], [v * (1 + erf(v / sqrt(2))) / 2 for v in x[0]], EXACT)
    wanted = [v / 2 * (1 + tanh(sqrt(2 / pi) * (v + 0.044715 * v**3))) for v in x[0]]
    assert_close(near[0], wanted, EXACT)
    assert 4.5e-4 < np.abs(exact - near).max() < 4.8e-4  # the docstring's figure


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


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_group_norm_is_the_formula(groups):
    layer = spec.GroupNorm(channels=4, groups=groups, epsilon=0.1)
    x, parameters = uniform(1, "x", (2, 4, 3, 2)), own_parameters(layer)
    y, _ = lower(layer, parameters, x)
    for n, c in np.ndindex(2, 4):
        first = c - c % (4 // groups)
        values = x[n, first : first + 4 // groups].ravel().tolist()
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        normal = (x[n, c] - mean) / sqrt(variance + 0.1)
        assert_close(y[n, c], normal * parameters["weight"][c] + parameters["bias"][c], EXACT)


def test_rms_norm_is_the_formula():
    x, parameters = uniform(1, "x", (2, 3, 5)), own_parameters(RMS_NORM)
    y, _ = lower(RMS_NORM, parameters, x)
    for n, t in np.ndindex(2, 3):
        row = x[n, t].tolist()
        root = sqrt(sum(value**2 for value in row) / 5 + 0.1)
        wanted = [v / root * w for v, w in zip(row, parameters["weight"], strict=True)]
        assert_close(y[n, t], wanted, EXACT)


def test_sigmoid_silu_and_tanh_are_the_formulas():
    x = np.linspace(-9, 9, 49)[None]
    for layer, formula in (
        (spec.Sigmoid(), lambda v: 1 / (1 + exp(-v))),
        (spec.SiLU(), lambda v: v / (1 + exp(-v))),
        (spec.Tanh(), tanh),
    ):
        assert_close(lower(layer, {}, x)[0][0], [formula(v) for v in x[0]], EXACT)


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


@pytest.mark.parametrize("valid", [None, PADDED])
def test_gru_is_the_recurrence_over_the_valid_steps(valid):
    x, p = uniform(1, "x", (len(PADDED), 4, 3)), own_parameters(GRU)
    y, _ = lower(GRU, p, x, valid)
    for n in range(len(x)):
        steps = range(4) if valid is None else np.flatnonzero(valid[n])
        wanted, rows = np.zeros((4, 2)), [x[n, t] for t in steps]
        for level in range(2):
            w_ih, w_hh, b_ih, b_hh = (
                p[f"{name}_l{level}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h, outputs = np.zeros(2), []
            for row in rows:
                given, held = (w_ih @ row + b_ih).reshape(3, 2), (w_hh @ h + b_hh).reshape(3, 2)
                r, z = (1 / (1 + np.exp(-given[gate] - held[gate])) for gate in (0, 1))
                h = (1 - z) * np.tanh(given[2] + r * held[2]) + z * h
                outputs.append(h)
            rows = outputs
        wanted[list(steps)] = np.reshape(rows, (-1, 2))
        assert np.abs(y[n] - wanted).max() <= EXACT


@pytest.mark.parametrize("layer", [LSTM, GRU], ids=["lstm", "gru"])
@pytest.mark.parametrize("valid", [None, PADDED])
def test_the_backward_direction_is_the_forward_one_on_the_valid_steps_in_reverse(layer, valid):
    x, both = uniform(1, "x", (len(PADDED), 4, 3)), replace(layer, bidirectional=True)
    p = own_parameters(both)
    y, _ = lower(both, p, x, valid)
    for n in range(len(x)):
        steps = np.arange(4) if valid is None else np.flatnonzero(valid[n])
        wanted, rows = np.zeros((4, 4)), x[n, steps]
        for ends in (("l0", "l0_reverse"), ("l1", "l1_reverse")):
            outputs = []
            for end, order in zip(ends, (slice(None), slice(None, None, -1)), strict=True):
                one = replace(layer, input_size=rows.shape[1], num_layers=1)
                own = {name: p[name.replace("l0", end)] for name in one.parameters()}
                outputs.append(lower(one, own, rows[None, order])[0][0, order])
            rows = np.concatenate(outputs, axis=1)
        wanted[steps] = rows
        assert_close(y[n], wanted, EXACT)


@pytest.mark.parametrize("causal", [False, True])
def test_a_head_of_keys_serves_heads_that_stand_together(causal):
    layer = spec.Attention(width=8, heads=4, causal=causal, key_value_heads=2)
    x, p = uniform(1, "x", (len(PADDED), 4, 8)), own_parameters(layer)
    repeated = dict(p)
    for name in ("key.weight", "value.weight", "value.bias"):
        heads = np.split(p[name], 2)
        repeated[name] = np.concatenate([heads[0], heads[0], heads[1], heads[1]])
    wanted, _ = lower(replace(layer, key_value_heads=None), repeated, x, PADDED)
    assert_close(lower(layer, p, x, PADDED)[0], wanted, EXACT)


def test_a_memory_of_the_steps_themselves_is_self_attention():
    x, p = uniform(1, "x", (len(PADDED), 4, 4)), own_parameters(ATTENTION)
    y, vjp = lower(ATTENTION, p, x, PADDED)
    context = replace(context_of(ATTENTION), valid=~PADDED, memory_valid=PADDED)
    same, both = lower(ATTENTION, p, (x, x), context=context)
    np.testing.assert_array_equal(same, y)
    dy = uniform(2, "dy", y.shape)
    assert_close(sum(both(dy)[0]), vjp(dy)[0], EXACT)


@pytest.mark.parametrize("layout", ["halves", "pairs"])
def test_rotary_is_a_product_of_complex_numbers(layout):
    layer = spec.Rotary(width=6, base=50.0, layout=layout)
    x = uniform(1, "x", (2, 5, 6))
    y, _ = lower(layer, {}, x)
    pairs = [(0, 3), (1, 4), (2, 5)] if layout == "halves" else [(0, 1), (2, 3), (4, 5)]
    for n, t in np.ndindex(2, 5):
        for i, (a, b) in enumerate(pairs):
            wanted = complex(x[n, t, a], x[n, t, b]) * np.exp(1j * t / 50 ** (2 * i / 6))
            assert complex(y[n, t, a], y[n, t, b]) == pytest.approx(wanted, abs=EXACT)


def test_rotary_attention_sees_how_far_apart_steps_are_not_where_they_stand():
    layer = spec.Attention(width=8, heads=2, rotary=spec.Rotary(width=4))
    x, p = uniform(1, "x", (1, 3, 8)), own_parameters(layer)
    y, _ = lower(layer, p, x)
    later = np.concatenate([np.ones((1, 2, 8)), x], axis=1)
    moved, _ = lower(layer, p, later, np.array([[False, False, True, True, True]]))
    assert_close(moved[:, 2:], y, EXACT)
    plain, _ = lower(replace(layer, rotary=None), p, x)
    assert np.abs(plain - y).max() > 1e-3


def test_a_row_of_positions_is_of_the_valid_steps_alone():
    layer = spec.PositionalEmbedding(steps=4, width=2, offset=2, count="valid")
    x, p = uniform(1, "x", (len(PADDED), 4, 2)), own_parameters(layer)
    y, _ = lower(layer, p, x, PADDED)
    for n, row in enumerate(PADDED):
        count = 0
        for t, on in enumerate(row):
            added = p["weight"][2 + count] if on else 0
            assert (y[n, t] == x[n, t] + added).all()
            count += on
    np.testing.assert_array_equal(lower(layer, p, x)[0], x + p["weight"][2:6])
    every = replace(layer, count="all", rows=9)
    table = uniform(1, "table", (9, 2))
    np.testing.assert_array_equal(lower(every, {"weight": table}, x, PADDED)[0], x + table[2:6])


def test_an_embedding_may_be_scaled():
    layer, ids = spec.Embedding(vocabulary=5, width=2, scale=3.0), np.array([[0, 3, 3]])
    weight = own_parameters(layer)["weight"]
    y, vjp = lower(layer, {"weight": weight}, ids)
    np.testing.assert_array_equal(y, 3 * weight[ids])
    gradient = vjp(np.ones((1, 3, 2)))[1]["weight"]
    assert gradient.value.tolist() == [[3, 3], [0, 0], [0, 0], [6, 6], [0, 0]]
    assert gradient.scale == np.linalg.norm(gradient.value)


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


@pytest.mark.parametrize("valid", [None, PADDED, PADDED & ONE, PADDED & False])
def test_batch_norm_of_steps_is_over_the_valid_ones(valid):
    layer = replace(BATCH_NORM, over="valid")
    x, p, context = uniform(1, "x", (len(PADDED), 4, 2)), own_parameters(layer), context_of(layer)
    old = {name: context.buffer(name) for name in layer.buffers()}
    context.valid = valid
    y, _ = lower(layer, p, x, context=context)
    shown = np.ones(x.shape[:2], bool) if valid is None else valid
    steps = x[shown] if shown.any() else np.zeros((1, 2))
    mean, variance = steps.mean(axis=0), steps.var(axis=0)
    wanted = (x - mean) / np.sqrt(variance + layer.epsilon) * p["weight"] + p["bias"]
    assert_close(y, np.where(shown[..., None], wanted, 0), EXACT)
    unbiased = variance * len(steps) / max(len(steps) - 1, 1)
    for name, new in (("running_mean", mean), ("running_var", unbiased)):
        found = context.new_buffers[f"layer.{name}"]
        assert_close(found, 0.8 * old[name] + 0.2 * new, EXACT)


def test_what_stands_in_padding_does_not_reach_a_batch_norm_of_steps():
    layer, x = replace(BATCH_NORM, over="valid"), uniform(1, "x", (len(PADDED), 4, 2))
    other = np.where(PADDED[..., None], x, np.nan)
    for training in (True, False):
        found, wanted = (
            lower(layer, own_parameters(layer), each, context=context_of(layer, PADDED, training))
            for each in (other, x)
        )
        np.testing.assert_array_equal(found[0], wanted[0])
        np.testing.assert_array_equal(found[1](other)[0], wanted[1](x)[0])


def test_flatten_has_channels_slowest():
    y, _ = lower(spec.Flatten(), {}, np.arange(24.0).reshape(2, 3, 2, 2))
    assert y.tolist() == [list(range(12)), list(range(12, 24))]


def test_mean_places_and_places_to_steps_are_what_they_say():
    x = uniform(1, "x", (2, 3, 2, 4))
    mean, _ = lower(spec.MeanPlaces(), {}, x)
    steps, _ = lower(spec.PlacesToSteps(), {}, x)
    for n, c in np.ndindex(2, 3):
        assert mean[n, c] == pytest.approx(sum(x[n, c].ravel().tolist()) / 8, abs=EXACT)
        for i, j in np.ndindex(2, 4):
            assert steps[n, i * 4 + j, c] == x[n, c, i, j]


@pytest.mark.parametrize("layer", ALONG)
@pytest.mark.parametrize("valid", [None, PADDED])
def test_convolution_of_steps_is_the_sum_that_the_spec_writes(layer, valid):
    x, p = uniform(1, "x", (len(PADDED), 4, layer.in_features)), own_parameters(layer)
    y, _ = lower(layer, p, x, valid)
    seen, made = (n // layer.groups for n in (layer.in_features, layer.out_features))
    for n, i, o in np.ndindex(y.shape):
        wanted = p["bias"][o] if layer.bias else 0.0
        for (c, u), w in np.ndenumerate(p["weight"][o]):
            t = layer.stride * i + u - layer.padding
            if 0 <= t < 4 and (valid is None or valid[n, t]):
                wanted += w * x[n, t, o // made * seen + c]
        assert y[n, i, o] == pytest.approx(wanted, abs=EXACT)


def test_a_class_token_is_the_first_step():
    layer, x = spec.ClassToken(width=3), uniform(1, "x", (2, 4, 3))
    p = own_parameters(layer)
    y, _ = lower(layer, p, x)
    np.testing.assert_array_equal(y[:, 1:], x)
    for row in lower(spec.FirstStep(), {}, y)[0]:
        np.testing.assert_array_equal(row, p["weight"])


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
    assert set(gradients) == set(p)
    assert all((g.value == 0).all() for name, g in gradients.items() if name != "output.bias")


# Scales


def test_scale_is_the_norm_of_the_sum_over_absolute_values():
    layer, x = spec.Linear(in_features=2, out_features=1), np.array([[3.0, 1.0], [3.0, -1.0]])
    _, vjp = lower(layer, own_parameters(layer), x)
    _, gradients = vjp(np.array([[2.0], [-2.0]]))
    assert gradients["weight"].value.tolist() == [[0, 4]]
    assert gradients["weight"].scale == pytest.approx(sqrt(12**2 + 4**2))
    assert (gradients["bias"].value, gradients["bias"].scale) == (0, 4)
    ids = np.array([[0, 0, 1]])
    table = spec.Embedding(vocabulary=3, width=1)
    _, vjp = lower(table, own_parameters(table), ids)
    gradient = vjp(np.array([[[1.0], [-1.0], [3.0]]]))[1]["weight"]
    assert gradient.value.tolist() == [[0], [3], [0]]
    assert gradient.scale == pytest.approx(sqrt(2**2 + 3**2))
