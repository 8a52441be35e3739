"""Specs: shapes, paths, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.plan import catalogue
from tasks import spec
from tasks.spec import Input, ModelSpec, SpecError

CONV = spec.Conv2d(in_channels=3, out_channels=2, kernel_size=(3, 5), padding=1)
NAMES = ("query", "key", "value", "output")


def model(shape, *layers, vocabulary=None):
    return ModelSpec(name="m", input=Input(shape=shape, vocabulary=vocabulary), layers=layers)


def test_without_dropout_every_rate_is_0_and_nothing_is_random():
    drop = spec.Dropout(rate=0.1)
    body = (("norm", spec.RMSNorm(width=4, epsilon=1e-5)), ("drop", drop))
    deep = spec.Sequential(layers=(("sum", spec.Residual(layers=body)), ("last", drop)))
    dropped = model((5, 4), ("deep", deep), ("relu", spec.ReLU()))
    assert dropped.random
    still = dropped.without_dropout()
    assert not still.random
    assert [p.path for p in still.places()] == [p.path for p in dropped.places()]
    rates = [p.layer.rate for p in still.places() if isinstance(p.layer, spec.Dropout)]
    assert rates == [0.0, 0.0]
    assert still.without_dropout() is still
    assert (drop.parameters(), drop.flops((5, 4))) == ({}, 0)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_a_rate_that_drops_everything_or_less_than_nothing_is_refused(rate):
    with pytest.raises(SpecError, match=r"Dropout: rate \(=.*\) must lie in \[0, 1\)"):
        spec.Dropout(rate=rate)


def test_tiny_names_are_those_of_the_article():
    tasks = catalogue.tasks()
    assert list(tasks["cnn-tiny"].model.parameters()) == [
        f"{layer}.{part}"
        for layer in ("conv1", "conv2", "fc1", "fc2")
        for part in ("weight", "bias")
    ]
    rnn = tasks["rnn-tiny"].model.parameters()
    assert rnn["lstm.weight_ih_l1"].shape == (32, 8)
    assert set(rnn) == {
        *(f"lstm.{p}_{s}_l{n}" for p in ("weight", "bias") for s in ("ih", "hh") for n in (0, 1)),
        "fc.weight",
        "fc.bias",
    }
    transformer = tasks["transformer-tiny"].model.parameters()
    assert "blocks.1.attention.key.weight" in transformer
    assert "blocks.1.attention.key.bias" not in transformer
    for name in ("norm1", "norm2", "linear1", "linear2"):
        assert f"blocks.0.{name}.weight" in transformer
        assert f"blocks.0.{name}.bias" in transformer


def test_recipes_are_those_of_the_article():
    tasks = catalogue.tasks()
    assert tasks["cnn-tiny"].optimizer == spec.SGD(learning_rate=1e-3, momentum=0.9)
    assert tasks["rnn-tiny"].optimizer.learning_rate == 1e-3
    of_article = ("cnn-tiny", "rnn-tiny", "transformer-tiny")
    assert {tasks[name].epochs for name in of_article} == {10}


@pytest.mark.parametrize(
    ("shape", "layer", "path", "words"),
    [
        ((3, 8, 8), spec.Conv2d(in_channels=4, out_channels=2, kernel_size=3), "odd", "(4, "),
        ((3, 2, 2), spec.Conv2d(in_channels=3, out_channels=2, kernel_size=3), "odd", ">= 3"),
        ((3, 8, 8), spec.MaxPool(size=9, stride=1), "odd", ">= 9"),
        ((3, 8, 8), spec.Linear(in_features=7, out_features=2), "odd", "(..., 7)"),
        ((5, 4), spec.LSTM(input_size=3, hidden_size=2, num_layers=1), "odd", "(steps, 3)"),
        ((5, 4), spec.Attention(width=6, heads=2), "odd", "(steps, 6)"),
        ((5, 4), spec.LayerNorm(width=5, epsilon=1e-5), "odd", "(..., 5)"),
        ((5, 4), spec.PositionalEncoding(width=6), "odd", "(steps, 6)"),
        ((5, 4), spec.GRU(input_size=3, hidden_size=2, num_layers=1), "odd", "(steps, 3)"),
        ((5, 4), spec.PositionalEmbedding(steps=6, width=4), "odd", "(6, 4)"),
        ((3, 8, 8), spec.AvgPool(size=9, stride=1), "odd", ">= 9"),
        ((3, 8, 2), spec.MaxPool(size=5, stride=1, padding=1), "odd", ">= 3"),
        ((3, 8, 2), CONV, "odd", "(3, height >= 1, width >= 3)"),
        ((3, 8, 8), spec.BatchNorm(channels=4, epsilon=1, momentum=1), "odd", "(4, "),
        (
            (4, 8, 8),
            spec.BatchNorm(channels=4, epsilon=1, momentum=1, over="valid"),
            "odd",
            "(steps, 4)",
        ),
        ((3, 8, 8), spec.GroupNorm(channels=4, groups=2, epsilon=1), "odd", "(4, "),
        ((5, 4), spec.RMSNorm(width=5, epsilon=1e-5), "odd", "(..., 5)"),
        ((4,), spec.LastStep(), "odd", "(steps, features)"),
        ((5, 4), spec.MeanPlaces(), "odd", "(channels, height, width)"),
        ((5, 4), spec.PlacesToSteps(), "odd", "(channels, height, width)"),
        (
            (3, 4),
            spec.Conv1d(in_features=4, out_features=2, kernel_size=4),
            "odd",
            "(steps >= 4, 4)",
        ),
        (
            (5, 4),
            spec.Conv1d(in_features=3, out_features=2, kernel_size=3),
            "odd",
            "(steps >= 3, 3)",
        ),
        ((5, 4), spec.ClassToken(width=3), "odd", "(steps, 3)"),
        ((4,), spec.FirstStep(), "odd", "(steps, features)"),
        ((5, 4), spec.Rotary(width=6), "odd", "(steps, 6)"),
    ],
)
def test_a_layer_that_does_not_fit_is_named_with_both_shapes(shape, layer, path, words):
    with pytest.raises(SpecError) as caught:
        model(shape, (path, layer))
    message = str(caught.value)
    assert path in message
    assert type(layer).__name__ in message
    assert words in message
    assert str(shape) in message
    assert "\n" not in message


def test_a_residual_that_changes_the_shape_names_both():
    body = (("fc", spec.Linear(in_features=4, out_features=6)),)
    words = r"sum adds shape \(6,\) of its layers to its input of \(4,\)"
    with pytest.raises(SpecError, match=words):
        model((4,), ("sum", spec.Residual(layers=body)))
    shortcut = (("project", spec.Linear(in_features=4, out_features=5)),)
    words = r"sum adds shape \(6,\) of its layers to its shortcut of \(5,\)"
    with pytest.raises(SpecError, match=words):
        model((4,), ("sum", spec.Residual(layers=body, shortcut=shortcut)))


@pytest.mark.parametrize(
    ("layer", "shapes", "made"),
    [
        (spec.Add(), ((3, 4, 5),) * 3, (3, 4, 5)),
        (spec.Multiply(), ((3, 4, 5),) * 2, (3, 4, 5)),
        (spec.Concat(), ((3, 4, 5), (2, 4, 5)), (5, 4, 5)),
        (spec.Concat(axis=0), ((3, 4, 5), (2, 4, 5)), (5, 4, 5)),
        (spec.Concat(axis=-1), ((3, 4, 5), (3, 4, 1), (3, 4, 2)), (3, 4, 8)),
        (spec.Concat(), ((6, 4), (6, 5)), (6, 9)),
        (spec.Concat(axis=1), ((6, 4), (6, 5)), (6, 9)),
        (spec.Concat(), ((4,), (5,)), (9,)),
    ],
)
def test_shapes_of_several_values(layer, shapes, made):
    assert layer.output_shape(*shapes) == made
    assert layer.flops(*shapes) == 0


@pytest.mark.parametrize(
    ("layer", "shape", "other", "words"),
    [
        (spec.Add(), (4,), spec.Linear(in_features=4, out_features=6), "(4,), (6,)"),
        (spec.Multiply(), (4,), spec.Linear(in_features=4, out_features=6), "(4,), (6,)"),
        (spec.Concat(), (3, 4), spec.LastStep(), "axis 1 alone, not (3, 4), (4,)"),
        (spec.Concat(), (2, 4, 4), spec.MaxPool(size=2, stride=2), "axis 0 alone, not (2, 4, 4), "),
        (spec.Concat(axis=0), (3, 4), spec.ReLU(), "axis (=0) must not be of steps"),
        (spec.Concat(axis=3), (2, 4, 4), spec.ReLU(), "axis (=3) must not be of steps, nor beyond"),
    ],
)
def test_values_that_do_not_fit_together_are_named_with_their_shapes(layer, shape, other, words):
    with pytest.raises(SpecError) as caught:
        model(shape, ("other", other), ("odd", layer, ("", "other")))
    assert str(caught.value).startswith(f"m: odd: {type(layer).__name__}")
    assert words in str(caught.value)


def test_resnet_20_has_the_papers_layers():
    small = catalogue.tasks()["cnn-small"].model
    weights = [path for path in small.parameters() if path.endswith(".weight")]
    projections = [path for path in weights if ".project" in path]
    convolutions = [path for path in weights if "conv" in path]
    assert (len(convolutions), len(projections)) == (19, 2)  # and one fully connected: 20
    assert small.parameters()["stage3.0.project.weight"].shape == (64, 32, 1, 1)
    assert "stage1.0.conv1.bias" not in small.parameters()
    assert small.buffers()["stage2.1.norm2.running_var"].centre == 1
    shapes = {place.path: place.output_shape for place in small.places()}
    assert shapes["stage1.2.sum"] == (16, 32, 32)
    assert shapes["stage3.2.sum"] == (64, 8, 8)


def test_two_layers_of_one_path_are_refused():
    with pytest.raises(SpecError, match="two layers have the path a"):
        model((4,), ("a", spec.ReLU()), ("a", spec.ReLU()))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: spec.Attention(width=8, heads=3), r"width \(=8\).*heads \(=3\)"),
        (
            lambda: spec.Attention(width=8, heads=4, key_value_heads=3),
            r"heads \(=4\) must be divisible by key_value_heads \(=3\)",
        ),
        (
            lambda: spec.Attention(width=8, heads=4, key_value_heads=0),
            r"key_value_heads \(=0\) must be positive",
        ),
        (
            lambda: spec.Attention(width=8, heads=2, key_bias=True, biases=False),
            r"key_bias \(=True\) must go with biases \(=True\)",
        ),
        (
            lambda: spec.Attention(width=8, heads=2, rotary=spec.Rotary(width=8)),
            r"rotary \(=8\) must be a head's \(=4\)",
        ),
        (lambda: spec.Rotary(width=3), r"width \(=3\) must be even"),
        (lambda: spec.Rotary(width=4, layout="x"), r"layout \(=x\) must be halves or pairs"),
        (lambda: spec.Rotary(width=4, base=0.0), r"base \(=0.0\) must be positive"),
        (
            lambda: spec.PositionalEncoding(width=4, layout="pairs"),
            r"layout \(=pairs\) must be interleaved or halves",
        ),
        (
            lambda: spec.PositionalEmbedding(steps=4, width=2, offset=2, rows=5),
            r"offset \(=2\) must leave 4 of the 5 rows",
        ),
        (
            lambda: spec.PositionalEmbedding(steps=4, width=2, offset=-1),
            r"offset \(=-1\) must leave 4 of the 3 rows",
        ),
        (
            lambda: spec.PositionalEmbedding(steps=4, width=2, count="some"),
            r"count \(=some\) must be all or valid",
        ),
        (lambda: spec.Embedding(vocabulary=2, width=2, scale=0.0), r"scale \(=0.0\)"),
        (lambda: spec.PositionalEncoding(width=7), r"width \(=7\) must be even"),
        (lambda: spec.Conv2d(in_channels=0, out_channels=1, kernel_size=1), r"in_channels \(=0\)"),
        (lambda: spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1, padding=-1), "padding"),
        (
            lambda: spec.Conv2d(in_channels=4, out_channels=6, kernel_size=1, groups=3),
            r"in_channels \(=4\) must be a multiple of groups \(=3\)",
        ),
        (
            lambda: spec.Conv2d(in_channels=6, out_channels=4, kernel_size=1, groups=3),
            r"out_channels \(=4\) must be a multiple of groups \(=3\)",
        ),
        (
            lambda: spec.Conv2d(in_channels=1, out_channels=1, kernel_size=(1, 0)),
            r"kernel_size \(=\(1, 0\)\) must be a number, or \(height, width\), of at least 1",
        ),
        (
            lambda: spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1, stride=(1, 1, 1)),
            r"stride \(=\(1, 1, 1\)\) must be",
        ),
        (lambda: spec.MaxPool(size=3, stride=1, padding=2), r"padding \(=2\) .* size \(=3\)"),
        (lambda: spec.AvgPool(size=2, stride=1, padding=-1), r"padding \(=-1\) .* size \(=2\)"),
        (lambda: spec.BatchNorm(channels=1, epsilon=1, momentum=0), r"momentum \(=0\) .* \(0, 1\]"),
        (
            lambda: spec.BatchNorm(channels=1, epsilon=1, momentum=1, over="steps"),
            r"over \(=steps\) must be batch or valid",
        ),
        (lambda: spec.AvgPool(size=0, stride=1), r"size \(=0\) must be positive"),
        (
            lambda: spec.GroupNorm(channels=4, groups=3, epsilon=1),
            r"channels \(=4\) must be a multiple of groups \(=3\)",
        ),
        (
            lambda: spec.Conv1d(in_features=2, out_features=1, kernel_size=2, padding=1),
            r"padding \(=1\) must be at least 0 and below half of kernel_size \(=2\)",
        ),
        (
            lambda: spec.Conv1d(in_features=2, out_features=3, kernel_size=2, groups=2),
            r"out_features \(=3\) must be a multiple of groups \(=2\)",
        ),
        (lambda: spec.RMSNorm(width=4, epsilon=0), r"epsilon \(=0\) must be positive"),
        (lambda: spec.GRU(input_size=1, hidden_size=0, num_layers=1), r"hidden_size \(=0\)"),
        (lambda: spec.SGD(learning_rate=0), r"learning_rate \(=0\)"),
        (
            lambda: spec.SGD(learning_rate=1, milestones=(9, 3)),
            r"milestones \(=\(9, 3\)\) must be rising",
        ),
        (lambda: spec.AdamW(learning_rate=1, beta1=1, beta2=0, epsilon=1), r"beta1 \(=1\)"),
        (lambda: spec.CrossEntropy(smoothing=1), r"smoothing \(=1\) must lie in \[0, 1\)"),
        (lambda: spec.CrossEntropy(smoothing=-0.1), r"smoothing \(=-0.1\) must lie in"),
        (lambda: spec.CTC(blank=-1), r"blank \(=-1\) must be a class"),
        (
            lambda: spec.SGD(learning_rate=1, schedule="line"),
            r"schedule \(=line\) must be one of constant, inv",
        ),
        (
            lambda: spec.SGD(learning_rate=1, schedule="cosine"),
            r"decay_steps \(=None\) of a cosine must be more than",
        ),
        (
            lambda: spec.SGD(learning_rate=1, warmup_steps=9, schedule="cosine", decay_steps=9),
            r"decay_steps \(=9\) of a cosine must be more than warmup_steps \(=9\)",
        ),
        (
            lambda: spec.SGD(learning_rate=1, decay_steps=9),
            r"decay_steps \(=9\) is of the schedule cosine alone",
        ),
    ],
)
def test_impossible_fields_are_named_with_their_value(make, words):
    with pytest.raises(SpecError, match=words):
        make()


def test_paths_go_through_sequentials_and_past_residuals():
    block = spec.Sequential(
        layers=(
            ("sum", spec.Residual(layers=(("fc", spec.Linear(in_features=4, out_features=4)),))),
        )
    )
    places = model((4,), ("blocks", spec.Sequential(layers=(("0", block),)))).places()
    assert [place.path for place in places] == ["blocks.0.fc", "blocks.0.sum"]


def test_walk_sees_what_places_lists():
    task = catalogue.tasks()["transformer-tiny"]
    seen = []
    spec.walk(task.model.layers, 0, lambda path, layer, x: x, lambda path, x: seen.append(path))
    assert seen == [place.path for place in task.model.places()]


def test_positions_are_the_papers():
    table = spec.PositionalEncoding(width=6).table(9)
    assert table[4, 2] == pytest.approx(np.sin(4 / 10_000 ** (2 / 6)), abs=1e-15)
    assert table[4, 3] == pytest.approx(np.cos(4 / 10_000 ** (2 / 6)), abs=1e-15)


@given(
    height=st.integers(1, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)
def test_convolution_counts_the_places_where_the_kernel_fits(height, kernel, stride, padding):
    layer = spec.Conv2d(
        in_channels=1, out_channels=1, kernel_size=kernel, stride=stride, padding=padding
    )
    starts = [
        i for i in range(0, height + 2 * padding, stride) if i + kernel <= height + 2 * padding
    ]
    if not starts:
        with pytest.raises(SpecError):
            layer.output_shape((1, height, height))
    else:
        assert layer.output_shape((1, height, height)) == (1, len(starts), len(starts))


@given(
    steps=st.integers(4, 12),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 1),
)
def test_a_step_of_a_convolution_is_valid_where_the_middle_of_its_window_is(
    steps, kernel, stride, padding
):
    if 2 * padding >= kernel:
        padding = 0
    sizes = {"kernel_size": kernel, "stride": stride, "padding": padding}
    layer = spec.Conv1d(in_features=1, out_features=1, **sizes)
    made, _ = layer.output_shape((steps, 1))
    middles = np.arange(made) * stride - padding + kernel // 2
    mask = np.arange(steps)[None]  # which says of itself what was taken
    np.testing.assert_array_equal(layer.valid(mask)[0], middles)
    assert layer.valid(None) is None


def test_a_class_token_takes_no_padding():
    layer = spec.ClassToken(width=1)
    assert layer.valid(None) is None
    with pytest.raises(SpecError, match="ClassToken takes a sequence without padding"):
        layer.valid(np.ones((1, 2), bool))


def test_flops_by_hand_of_convolutions_with_groups():
    conv = spec.Conv2d(in_channels=4, out_channels=6, kernel_size=(3, 1), stride=(1, 2), groups=2)
    assert conv.flops((4, 5, 6)) == 2 * (6 * 3 * 3) * (2 * 3)
    steps = spec.Conv1d(in_features=4, out_features=6, kernel_size=3, stride=2, groups=2)
    assert steps.flops((7, 4)) == 2 * (3 * 6) * (2 * 3)


def test_flops_of_the_tiny_cnn_by_hand():
    by_hand = 2 * (24 * 24 * 32 * 3 * 9 + 12 * 12 * 64 * 32 * 9 + 2304 * 128 + 128 * 10)
    assert catalogue.tasks()["cnn-tiny"].model.flops() == by_hand


def test_a_row_of_positions_is_the_step_and_the_offset():
    table = spec.PositionalEmbedding(steps=128, width=2, rows=512).parameters()
    assert table["weight"].shape == (512, 2)
    table = spec.PositionalEmbedding(steps=512, width=2, offset=2, count="valid").parameters()
    assert table["weight"].shape == (514, 2)


def test_sinusoids_in_halves_are_the_alternating_ones_in_another_order():
    table = spec.PositionalEncoding(width=6, layout="halves").table(5)
    alternating = spec.PositionalEncoding(width=6).table(5)
    np.testing.assert_array_equal(table[:, :3], alternating[:, 0::2])
    np.testing.assert_array_equal(table[:, 3:], alternating[:, 1::2])


def test_attention_of_shared_heads_and_to_a_memory():
    layer = spec.Attention(width=8, heads=4, key_value_heads=2, key_bias=True)
    shapes = {name: parameter.shape for name, parameter in layer.parameters().items()}
    assert list(shapes) == [f"{n}.{p}" for n in NAMES for p in ("weight", "bias")]
    assert shapes["query.weight"] == shapes["output.weight"] == (8, 8)
    assert shapes["key.weight"] == shapes["value.weight"] == (4, 8)
    assert shapes["key.bias"] == (4,)
    bare = spec.Attention(width=8, heads=4, biases=False).parameters()
    assert list(bare) == [f"{name}.weight" for name in NAMES]
    assert layer.output_shape((3, 8), (5, 8)) == (3, 8)
    projections = 3 * 8 * 8 * 2 + 5 * 8 * 4 * 2
    assert layer.flops((3, 8), (5, 8)) == 2 * (projections + 2 * 3 * 5 * 8)
    assert layer.flops((3, 8)) == layer.flops((3, 8), (3, 8))
    assert layer.valid("first", "memory") == "first"
    with pytest.raises(SpecError, match=r"memory: Attention takes 1 value or 2, not 3 of shape"):
        model((3, 8), ("memory", layer, ("", "", "")))
    narrow = spec.Linear(in_features=8, out_features=4)
    with pytest.raises(SpecError, match=r"cross: Attention takes .* \(steps, 8\), not \(3, 4\)"):
        model((3, 8), ("memory", narrow), ("cross", layer, ("", "memory")))


@pytest.mark.parametrize("kind", [spec.LSTM, spec.GRU])
def test_both_directions_have_the_names_of_pytorch(kind):
    layer = kind(input_size=3, hidden_size=2, num_layers=2, bidirectional=True)
    parts = [f"{p}_{s}" for p in ("weight", "bias") for s in ("ih", "hh")]
    ends = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert list(layer.parameters()) == [f"{part}_{end}" for end in ends for part in parts]
    assert layer.parameters()["weight_ih_l1_reverse"].shape == (2 * kind.gates, 4)
    assert layer.output_shape((5, 3)) == (5, 4)
    rows = 2 * kind.gates
    assert layer.flops((5, 3)) == 5 * 2 * 2 * rows * ((3 + 2) + (4 + 2))
