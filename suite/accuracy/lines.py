"""What simple classifiers reach on the same split: lines to hold the networks' accuracy against.

They see what the networks see, flattened; token ids as one-hot columns. Scaled by the training
samples' own mean and deviation; the settings are scikit-learn's, untuned, so that test data has no
say in them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suite import cost
from suite.accuracy.metrics import accuracy, macro_f1
from suite.crew import Crew
from suite.material import Material
from suite.store.schema import LineRecord, ReferenceLine
from suite.work import Sink, Track, Unit
from tasks.base import Batch

SEED = 0


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=200)


def _support_vectors() -> Any:
    from sklearn.svm import SVC

    return SVC()


def _perceptron() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(random_state=SEED)


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic regression": _logistic_regression,
    "SVM (RBF)": _support_vectors,
    "MLP (100)": _perceptron,
}


def tracks(materials: Sequence[Material]) -> tuple[Track, ...]:
    """One track: a unit per task, in the coordinator's own process."""
    units = tuple(_unit(material) for material in materials)
    return (Track(suffix="lines", units=units),) if units else ()


def _unit(material: Material) -> Unit:
    name = material.task.name

    def do(crew: Crew, sink: Sink) -> None:
        for line in lines(material):
            sink.emit(LineRecord, line=line)

    return Unit(
        name=f"lines/{name}",
        what=f"reference lines of {name}",
        cost_seconds=cost.LINES_SECONDS,
        do=do,
    )


def lines(material: Material) -> list[ReferenceLine]:
    """Each classifier fitted to the training samples and tested.

    With one thread, since trainings go on beside: cnn-tiny's three took 2 s there, with two threads
    6 and 9, and alone 1.3 and 1.7.
    """
    from sklearn.metrics import confusion_matrix
    from sklearn.preprocessing import StandardScaler

    train, test = material.splits.train, material.splits.test
    vocabulary = material.task.model.input.vocabulary
    scaler = StandardScaler().fit(_columns(train, vocabulary))
    samples, tested = (scaler.transform(_columns(part, vocabulary)) for part in (train, test))
    found = []
    for name, make in CLASSIFIERS.items():
        classifier = make()
        began = time.perf_counter()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of what has not converged; the line is what it is
            guessed = classifier.fit(samples, train.targets).predict(tested)
        classes = range(material.task.model.output_shape()[-1])
        confusion = confusion_matrix(test.targets, guessed, labels=list(classes)).tolist()
        found.append(
            ReferenceLine(
                task=material.task.name,
                model=name,
                test_accuracy=accuracy(confusion),
                test_macro_f1=macro_f1(confusion),
                test_samples=len(test),
                seconds=time.perf_counter() - began,
                data_hash=material.data_hash,
            )
        )
    return found


def _columns(samples: Batch, vocabulary: int | None) -> NDArray[np.float32]:
    """(samples, columns), in the precision that networks get."""
    if vocabulary is None:
        return np.asarray(samples.inputs, np.float32).reshape(len(samples), -1)
    one_hot: NDArray[np.float32] = np.eye(vocabulary, dtype=np.float32)[samples.inputs]
    return one_hot.reshape(len(samples), -1)
