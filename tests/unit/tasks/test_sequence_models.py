"""Models of published size: their sizes, and that small ones are right."""

from __future__ import annotations

import json
from dataclasses import replace
from math import prod

import numpy as np
import pytest

from backends.numpy import Backend
from tasks import codec
from tasks.base import Batch, Task, probe_batch
from tasks.models.bert import bert, roberta
from tasks.models.gpt2 import gpt2
from tasks.models.llama import llama
from tasks.models.transformer import transformer
from tasks.parameters import probe
from tasks.spec import SGD, ModelSpec

# Parameters and arrays as transformers 5.24 counts its random instances (GPT-2's arrays with
# queries, keys and values apart); multiply-adds of one sample as PyTorch's flop counter has them.
PUBLISHED = [
    (bert(), 109_514_298, 202, 14.250e9),
    (roberta(), 124_697_433, 202, 16.190e9),
    (bert(pooled=True), 109_482_240, 199, 11.174e9),
    (roberta(pooled=True), 124_645_632, 199, 11.174e9),
    (gpt2(), 124_439_808, 196, 145.82e9),
    (gpt2(steps=256), 124_439_808, 196, 32.832e9),
    (transformer(), 63_082_496, 253, 2.0344e9),
    (llama(), 100_092_672, 110, 121.80e9),
]
SMALL = {"blocks": 2, "width": 8, "heads": 2, "vocabulary": 11}
STEPS = {"source_steps": 5, "target_steps": 4}
TWINS = [
    bert(steps=5, rows=9, hidden=12, **SMALL),
    roberta(steps=5, rows=9, hidden=12, **SMALL),
    bert(steps=5, rows=9, hidden=12, pooled=True, name="bert-pooled", **SMALL),
    gpt2(steps=5, rows=9, **SMALL),
    transformer(hidden=12, **STEPS, **SMALL),
    llama(steps=5, hidden=12, key_value_heads=1, **SMALL),
]
LEFT = np.array([[1, 1, 1, 1, 1], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=bool)


@pytest.mark.parametrize(
    ("model", "parameters", "arrays", "multiply_adds"),
    PUBLISHED,
    ids=lambda x: getattr(x, "name", ""),
)
def test_a_model_has_the_size_that_is_published(model, parameters, arrays, multiply_adds):
    found = model.parameters()
    assert sum(prod(each.shape) for each in found.values()) == parameters
    assert len(found) == arrays
    assert model.flops() == pytest.approx(2 * multiply_adds, rel=1e-4)


@pytest.mark.parametrize("model", [each[0] for each in PUBLISHED], ids=lambda model: model.name)
def test_a_model_survives_its_journey_to_a_worker(model):
    assert codec.decode(json.loads(json.dumps(codec.encode(model)))) == model


def padded(model: ModelSpec) -> tuple[Task, Batch]:
    """The model as a task, and a batch of it with padding, whose last targets are left out."""
    task = codec.bare(model, SGD(learning_rate=0.1), len(LEFT))
    batch = probe_batch(task, len(LEFT), 1)
    targets = batch.targets
    if len(model.output_shape()) > 1:
        targets = np.arange(len(LEFT) * model.output_shape()[0]).reshape(len(LEFT), -1) % 11
        targets[:, -1] = -1
    valid = {"source": LEFT, "target": LEFT[::-1, :4], "ids": LEFT}
    valid = {name: mask for name, mask in valid.items() if name in model.inputs}
    mask = valid or LEFT
    return task, replace(batch, targets=targets.astype(np.int32), valid=mask)


@pytest.mark.parametrize("model", TWINS, ids=lambda model: model.name)
def test_a_small_model_agrees_with_central_differences(model):
    task, batch = padded(model)
    parameters = probe(model, 2)
    capture = Backend().build(task, parameters).capture(batch)
    assert set(capture.gradients) == set(parameters)
    rng, step = np.random.default_rng(1), 1e-6
    for path, gradient in capture.gradients.items():
        for direction in (gradient, rng.standard_normal(gradient.shape)):
            size = np.linalg.norm(direction)
            if size < 1e-12:  # a bias of keys, which softmax cancels
                assert path.endswith("key.bias")
                continue
            along = direction / size
            forth, back = (
                Backend()
                .build(task, parameters | {path: parameters[path] + sign * along})
                .capture(batch)
                .loss
                for sign in (step, -step)
            )
            wanted = np.sum(gradient * along)
            found = (forth - back) / (2 * step)
            assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9), path


@pytest.mark.parametrize("model", TWINS, ids=lambda model: model.name)
def test_what_is_padded_is_not_seen(model):
    task, batch = padded(model)
    program = Backend().build(task, probe(model, 2))
    first = next(iter(model.every_input))
    given = batch.inputs if not model.inputs else batch.inputs[first]
    other = np.where(LEFT, given, (given + 1) % 11)
    changed = replace(batch, inputs={**batch.inputs, first: other} if model.inputs else other)
    seen = LEFT[::-1, :4] if first == "source" else LEFT
    if len(model.output_shape()) == 1:
        seen = LEFT[:, 0]  # the pooled step
    found, wanted = program.predict(changed), program.predict(batch)
    np.testing.assert_array_equal(found[seen], wanted[seen])
    valid = batch.valid
    unmasked = replace(batch, valid={**valid, first: np.ones_like(LEFT)} if model.inputs else None)
    assert np.abs(program.predict(unmasked)[1] - wanted[1]).max() > 1e-3


def test_left_padding_is_as_no_padding_where_valid_steps_are_counted():
    model = roberta(steps=5, rows=9, hidden=12, **SMALL)
    task, batch = padded(model)
    program = Backend().build(task, probe(model, 2))
    ids = batch.inputs["ids"][1]  # two steps are padded on the left
    moved = {"ids": np.roll(ids, -2)[None], "types": np.zeros((1, 5), np.int32)}
    on_the_right = Batch(inputs=moved, targets=batch.targets[:1], valid={"ids": LEFT[2:]})
    found = program.predict(on_the_right)[0, :3]
    np.testing.assert_allclose(found, program.predict(batch)[1, 2:], rtol=1e-12)
