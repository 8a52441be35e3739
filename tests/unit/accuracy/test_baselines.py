"""scikit-learn's classifiers on the same split."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from suite.accuracy import translations
from suite.accuracy.baselines import baselines, classifiers, groups
from suite.engine.inputs import TaskInputs
from suite.plan import catalogue
from tasks.base import Batch
from tasks.codec import bare
from tasks.spec import SGD, Attention, Embedding, Input, Linear, ModelSpec


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


def test_one_answer_to_all_samples_is_no_label_or_the_most_frequent_one():
    train = np.array([[2, 1, 2, 2], [2, 2, -1, -1], [3, 1, 2, -1]], np.int32)
    test = np.array([[2, 3, -1, -1], [2, -1, -1, -1], [-1, -1, -1, -1]], np.int32)
    splits = SimpleNamespace(train=SimpleNamespace(targets=train), test=Part(test))
    task = SimpleNamespace(name="t", score="error_rate")
    none, often = baselines(SimpleNamespace(task=task, splits=splits, data_hash="a"))
    assert (none.error_rate, none.test_accuracy) == (1.0, 1 / 3)
    # Twice: 2 + 0 + 2 errors in training; once 3 + 1 + 2, three times 1 + 1 + 2, which is no fewer.
    assert often.model == "label 2, 2 times"
    assert often.error_rate == (1 + 1 + 2) / 3


class Part(SimpleNamespace):
    def __init__(self, targets):
        super().__init__(targets=targets)

    def __len__(self):
        return len(self.targets)


@pytest.mark.parametrize(
    ("inputs", "score", "able"),
    [
        ({"input": Input(shape=(3,))}, "accuracy", True),
        ({"inputs": {"a": Input(shape=(3,))}}, "accuracy", False),
        ({"input": Input(shape=(5, 3))}, "accuracy", False),
        ({"input": Input(shape=(5, 3))}, "bits_per_byte", False),
        ({"input": Input(shape=(5, 3))}, "error_rate", True),
    ],
)
def test_tasks_without_baselines_have_no_job(inputs, score, able, tmp_path):
    model = ModelSpec(name="m", layers=(("fc", Linear(in_features=3, out_features=2)),), **inputs)
    task = replace(bare(model, SGD(learning_rate=0.1), 4), score=score)
    assert bool(groups([TaskInputs(task, 0, tmp_path)])) == able


class TestTranslations:
    """The end is token 1, the beginning 0; of the sources some steps are padding."""

    def parts(self):
        def batch(sources, valid, targets):
            targets = np.array(targets, np.int32)
            so_far = np.maximum(np.roll(targets, 1, axis=1), 0)
            so_far[:, 0] = 0
            source, there = np.array(sources, np.int32), np.array(valid, bool)
            inputs, masks = {"source": source, "target": so_far}, {"source": there}
            return Batch(inputs=inputs, targets=targets, valid=masks)

        valid = [[1, 1, 1], [1, 1, 0], [1, 1, 0]]
        train = batch([[2, 3, 4], [2, 5, 1], [6, 6, 1]], valid, [[4, 5, 1], [7, 1, -1], [7, 5, 1]])
        test = batch([[5, 2, 6], [6, 3, 2]], [[1, 1, 0], [1, 1, 1]], [[7, 6, 1], [4, 1, -1]])
        return train, test

    def test_the_nearest_source_is_looked_up_without_its_padding(self):
        train, test = self.parts()
        # The second test source has a cosine of 0.67, 0.41 and 0.58 with those of the training.
        assert translations.nearest(train, test, 8).tolist() == [1, 0]

    def test_they_are_told_by_their_token_accuracy(self):
        train, test = self.parts()
        model = ModelSpec(
            name="m",
            inputs={name: Input(shape=(3,), vocabulary=8) for name in ("source", "target")},
            layers=(
                ("encoder", Embedding(vocabulary=8, width=2)),
                ("word", Embedding(vocabulary=8, width=2), ("target",)),
                ("cross", Attention(width=2, heads=1), ("word", "encoder")),
                ("head", Linear(in_features=2, out_features=8)),
            ),
        )
        task = replace(bare(model, SGD(learning_rate=0.1), 4), score="token_accuracy")
        assert translations.able(task)
        splits = SimpleNamespace(train=train, test=test)
        looked_up, after = found = baselines(
            SimpleNamespace(task=task, splits=splits, data_hash="a")
        )
        assert [line.model for line in found] == ["nearest training source", "pairs of tokens"]
        # Guessed are 7 1 and 4 5 of 7 6 1 and 4 1.
        assert looked_up.token_accuracy == looked_up.test_accuracy == 2 / 5
        # After 0, 4, 5, 6, 7 stand 7, 5, 1, nothing, 1: of 7 6 1 and 4 1 that is 7 1 0 and 7 5.
        assert after.token_accuracy == 1 / 5
        assert {line.test_samples for line in found} == {5}
        other = replace(catalogue.tasks()["gpt-tiny"], score="token_accuracy")
        assert not translations.able(other)
