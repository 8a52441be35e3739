"""scikit-learn's classifiers on the same split."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from suite.accuracy.baselines import baselines, classifiers, groups
from suite.engine.inputs import TaskInputs
from suite.plan import catalogue
from tasks.base import Batch
from tasks.codec import bare
from tasks.spec import SGD, Input, Linear, ModelSpec


def test_baselines_are_of_the_same_split(tmp_path):
    task = catalogue.tasks()["rnn-tiny"]
    found = baselines(TaskInputs(task, 0, tmp_path))
    assert [line.model for line in found] == list(classifiers())
    for line in found:
        assert line.test_samples == 114
        assert 0.9 < line.test_accuracy <= 1
        assert 0.9 < line.test_macro_f1 <= 1
    assert found == [
        again.model_copy(update={"seconds": line.seconds})
        for again, line in zip(baselines(TaskInputs(task, 0, tmp_path)), found, strict=True)
    ]


def test_language_models_have_counts_of_bytes_for_baselines():
    """Of the text abababac, whose pairs are ab 3, ba 3, ac 1, in an alphabet of three."""
    ids = np.array([[0, 1, 0, 1, 0, 1, 0, 2]], np.int32)
    train = Batch(inputs=ids[:, :-1], targets=ids[:, 1:])
    test = Batch(inputs=ids[:, :2], targets=ids[:, 1:3])  # ab, ba
    model = SimpleNamespace(output_shape=lambda: (7, 3))
    task = SimpleNamespace(name="t", model=model, score="bits_per_byte")
    splits = SimpleNamespace(train=train, test=test)
    inputs = SimpleNamespace(task=task, splits=splits, data_hash="a")
    alone, after = found = baselines(inputs)
    assert [line.model for line in found] == ["bytes", "pairs of bytes"]
    assert alone.bits_per_byte == pytest.approx(-np.log2(4 / 10))  # a and b: 3 of 7, and one more
    assert after.bits_per_byte == pytest.approx(-np.log2([3.4 / 5, 3.4 / 4]).mean())
    assert (alone.test_accuracy, after.test_accuracy) == (0.5, 1.0)
    assert {line.test_samples for line in found} == {2}


def test_targets_that_are_left_out_are_no_class_of_the_counts():
    ids = np.array([[0, 1, 0, 1]], np.int32)
    kept, left = ids[:, 1:], np.array([[1, -1, -1]], np.int32)
    model = SimpleNamespace(output_shape=lambda: (3, 3))
    task = SimpleNamespace(name="t", model=model, score="bits_per_byte")
    found = [
        baselines(
            SimpleNamespace(
                task=task,
                splits=SimpleNamespace(
                    train=Batch(inputs=inputs, targets=targets),
                    test=Batch(inputs=inputs, targets=targets),
                ),
                data_hash="a",
            )
        )
        for inputs, targets in ((ids[:, :3], left), (ids[:, :1], kept[:, :1]))
    ]
    assert [line.bits_per_byte for line in found[0]] == [line.bits_per_byte for line in found[1]]
    assert {line.test_samples for line in found[0]} == {1}


@pytest.mark.parametrize(
    ("inputs", "score", "able"),
    [
        ({"input": Input(shape=(3,))}, "accuracy", True),
        ({"inputs": {"a": Input(shape=(3,))}}, "accuracy", False),
        ({"input": Input(shape=(5, 3))}, "accuracy", False),
        ({"input": Input(shape=(5, 3))}, "bits_per_byte", False),
    ],
)
def test_tasks_without_baselines_have_no_job(inputs, score, able, tmp_path):
    model = ModelSpec(name="m", layers=(("fc", Linear(in_features=3, out_features=2)),), **inputs)
    task = replace(bare(model, SGD(learning_rate=0.1), 4), score=score)
    assert bool(groups([TaskInputs(task, 0, tmp_path)])) == able
