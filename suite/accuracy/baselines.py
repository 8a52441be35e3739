"""What simple classifiers reach on the same split: baselines for the networks' accuracy.

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

from suite.accuracy.metrics import accuracy, macro_f1
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink
from suite.engine.pool import WorkerPool
from suite.plan import estimate
from suite.records.schema import LineRecord, ReferenceLine
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


def groups(all_inputs: Sequence[TaskInputs]) -> tuple[JobGroup, ...]:
    """One job group: a job per task, in the coordinator's own process."""
    jobs = tuple(map(_job, all_inputs))
    return (JobGroup(suffix="lines", jobs=jobs),) if jobs else ()


def _job(task_inputs: TaskInputs) -> Job:
    name = task_inputs.task.name

    def run(pool: WorkerPool, sink: Sink) -> None:
        for baseline in baselines(task_inputs):
            sink.emit(LineRecord, line=baseline)

    return Job(
        id=f"lines/{name}",
        label=f"baselines of {name}",
        cost_seconds=estimate.BASELINES_SECONDS,
        run=run,
    )


def baselines(task_inputs: TaskInputs) -> list[ReferenceLine]:
    """Each classifier fitted to the training samples and tested.

    With one thread, since trainings go on beside: cnn-tiny's three took 2 s there, with two threads
    6 and 9, and alone 1.3 and 1.7.
    """
    from sklearn.metrics import confusion_matrix
    from sklearn.preprocessing import StandardScaler

    train, test = task_inputs.splits.train, task_inputs.splits.test
    vocabulary = task_inputs.task.model.input.vocabulary
    scaler = StandardScaler().fit(_columns(train, vocabulary))
    samples, tested = (scaler.transform(_columns(part, vocabulary)) for part in (train, test))
    found = []
    for name, make in CLASSIFIERS.items():
        classifier = make()
        began = time.perf_counter()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of what has not converged; the line is what it is
            guessed = classifier.fit(samples, train.targets).predict(tested)
        classes = range(task_inputs.task.model.output_shape()[-1])
        confusion = confusion_matrix(test.targets, guessed, labels=list(classes)).tolist()
        found.append(
            ReferenceLine(
                task=task_inputs.task.name,
                model=name,
                test_accuracy=accuracy(confusion),
                test_macro_f1=macro_f1(confusion),
                test_samples=len(test),
                seconds=time.perf_counter() - began,
                data_hash=task_inputs.data_hash,
            )
        )
    return found


def _columns(samples: Batch, vocabulary: int | None) -> NDArray[np.float32]:
    """(samples, columns), in the precision that networks get."""
    if vocabulary is None:
        return np.asarray(samples.inputs, np.float32).reshape(len(samples), -1)
    one_hot: NDArray[np.float32] = np.eye(vocabulary, dtype=np.float32)[samples.inputs]
    return one_hot.reshape(len(samples), -1)
