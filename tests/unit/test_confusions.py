"""The confusions that parity names, and the situations that tell them from the right thing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from backends.numpy import Backend, optimizers
from suite.parity import alone, drills, situations
from suite.parity.confusions import layers, losses
from suite.parity.confusions import optimizers as confused
from suite.parity.situations import Situation
from suite.parity.thresholds import ALONE
from suite.subject import bare
from tasks import spec
from tasks.parameters import probe
from tasks.spec import SGD, Input, Layer, ModelSpec, Place

# Layers with the shape of a sample, and the vocabulary where it is of ids.
LAYERS: list[tuple[Layer, tuple[int, ...], int | None]] = [
    (
        spec.Conv2d(in_channels=2, out_channels=3, kernel_size=3, padding=1, stride=2),
        (2, 6, 8),
        None,
    ),
    (spec.Conv2d(in_channels=2, out_channels=3, kernel_size=3, padding=1), (2, 5, 7), None),
    (spec.BatchNorm(channels=7, epsilon=1e-5, momentum=0.1), (7, 3, 3), None),
    (spec.LayerNorm(width=6, epsilon=1e-5), (4, 6), None),
    (spec.GELU(), (4, 6), None),
    (spec.Linear(in_features=4, out_features=3), (4,), None),
    (spec.Embedding(vocabulary=7, width=4), (5,), 7),
    (spec.PositionalEncoding(width=6), (5, 6), None),
    (spec.Attention(width=8, heads=2), (5, 8), None),
    (spec.Attention(width=8, heads=2, causal=True), (5, 8), None),
    (spec.LSTM(input_size=4, hidden_size=5, num_layers=2), (5, 4), None),
    (spec.GRU(input_size=4, hidden_size=5, num_layers=2), (5, 4), None),
    (spec.LastStep(), (5, 4), None),
    (spec.MeanSteps(), (5, 4), None),
]


EVERY = drills.DRILLS | drills.STEPPED
UPDATES = [name for name, drill in EVERY.items() if not drill.of_loss]


def place_of(layer: Layer, shape: tuple[int, ...]) -> Place:
    return Place(
        path="layer", layer=layer, input_shape=shape, output_shape=layer.output_shape(shape)
    )


def model_of(layer: Layer, shape: tuple[int, ...]) -> ModelSpec:
    return ModelSpec(name="one", input=Input(shape=shape), layers=(("layer", layer),))


def output(given: layers.Given, situation: Situation) -> np.ndarray:
    """What the reference makes of it."""
    model = model_of(given.layer, given.inputs.shape[1:])
    parameters = {f"layer.{name}": array for name, array in given.parameters.items()}
    program = Backend().build(bare(model, SGD(learning_rate=1.0), 1), parameters)
    upstream = situation.upstream
    return program.layer_vjp("layer", given.inputs, upstream, given.valid).output


def every() -> Iterator[tuple[Layer, Situation, layers.Given]]:
    for layer, shape, vocabulary in LAYERS:
        parameters = probe(model_of(layer, shape), 0)
        for situation in situations.situations(place_of(layer, shape), vocabulary):
            yield (
                layer,
                situation,
                layers.Given(
                    layer=layer,
                    parameters=spec.local(parameters, "layer"),
                    inputs=situation.inputs,
                    valid=situation.valid,
                ),
            )


@pytest.mark.parametrize("layer", [layer for layer, *_ in LAYERS], ids=repr)
def test_every_confusion_about_a_layer_shows_in_a_situation(layer):
    shown: dict[str, float] = {}
    for own, situation, given in every():
        if own == layer:
            right = output(given, situation)
            for confusion in layers.confusions(given):
                made = output(confusion.given, situation)
                error = max(alone.errors(made, right, situation.axis))
                shown[confusion.words] = max(error, shown.get(confusion.words, 0.0))
    assert shown
    for words, error in shown.items():
        assert error > ALONE, words


def test_situations_have_a_row_of_every_padding_that_can_be_told():
    everything = {*situations.NAMES.values()}
    for layer, situation, _ in every():
        if situation.valid is None:
            continue
        has = {kind.removesuffix(" and large values") for kind in situation.kinds}
        if isinstance(layer, spec.Attention):
            # Masks of -1e4 and -inf differ where there is nothing to attend to.
            assert situation.finite == (situation.name == situations.EMPTY)
            assert situation.valid.any(axis=1).all() != situation.finite
            if situation.finite:
                continue
            assert not layer.causal or situation.valid[:, 0].all()
            has |= {"no valid step", *(everything if layer.causal else ())}
        assert has == everything
        for kind, valid in zip(situation.kinds, situation.valid, strict=True):
            assert valid.all() == kind.startswith("no padding")
            assert valid.any() == (kind != "no valid step")


def right_updates(optimizer):
    """The drill's updates by the reference's formulas."""
    parameters, updates = drills.start(), []
    moments = {
        path: {name: np.zeros_like(a) for name in optimizer.moments()}
        for path, a in parameters.items()
    }
    for step, gradients in enumerate(drills.gradients(), 1):
        new, moments = optimizers.update(optimizer, step, parameters, gradients, moments)
        updates.append({path: new[path] - parameters[path] for path in new})
        parameters = new
    return updates


def apart(made, right):
    return max(drills.off(a[path], b[path]) for a, b in zip(made, right, strict=True) for path in b)


@pytest.mark.parametrize("name", UPDATES)
def test_the_rules_unchanged_are_the_specified(name):
    optimizer = EVERY[name].optimizer
    rule = confused.adamw if isinstance(optimizer, spec.AdamW) else confused.sgd
    made = rule(optimizer, drills.start(), drills.gradients())
    assert apart(made, right_updates(optimizer)) < 1e-12


@pytest.mark.parametrize("name", UPDATES)
def test_every_confusion_about_an_optimizer_shows_in_its_drill(name):
    optimizer = EVERY[name].optimizer
    right = right_updates(optimizer)
    found = list(confused.confusions(optimizer))
    assert len(found) > 20
    assumed = {"nesterov"} if optimizer.milestones else {"nesterov", "milestones"}
    assert {confusion.field for confusion in found} >= set(drills.switched(optimizer)) - assumed
    for confusion in found:
        made = confusion.rule(drills.start(), drills.gradients())
        assert apart(made, right) > 10 * drills.LIMIT, confusion.words


def test_every_confusion_about_the_loss_shows_in_the_drill():
    batch = drills.batch()
    fc = probe(drills.CLASSIFIER, 0)
    logits = batch.inputs @ fc["fc.weight"].T + fc["fc.bias"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = -logs[np.arange(len(logits)), batch.targets].mean()
    for words, (_, loss) in losses.CONFUSIONS.items():
        assert abs(loss(logits, batch.targets) - right) > 1e-3 * abs(right), words
