"""scikit-learn's classifiers on the same split."""

from __future__ import annotations

from suite.accuracy.baselines import baselines, classifiers
from suite.engine.inputs import TaskInputs
from suite.plan import catalogue


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
