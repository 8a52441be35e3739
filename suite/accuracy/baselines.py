"""What simple classifiers reach on the same split: baselines for the networks' accuracy. Of
language models, what counts of bytes do; of translations, what is looked up (translations.py); with
CTC, what one answer to all samples does.

They see what the networks see, flattened; token ids as one-hot columns. Scaled by the training
samples' own mean and deviation; the settings are scikit-learn's, untuned, so that test data has no
say in them.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from suite.accuracy import translations
from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink
from suite.engine.pool import WorkerPool
from suite.plan import estimate
from suite.records.schema import LineRecord, ReferenceLine
from tasks.base import Batch, Score, Task

SEED = 0


def classifiers() -> dict[str, Any]:
    """What is fitted, by name; scikit-learn is imported where that is needed."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    return {
        "logistic regression": LogisticRegression(max_iter=200),
        "SVM (RBF)": SVC(),
        "MLP (100)": MLPClassifier(random_state=SEED),
    }


def groups(all_inputs: Sequence[TaskInputs]) -> tuple[JobGroup, ...]:
    """One job group: a job per task that has baselines, in the coordinator's own process."""
    jobs = tuple(_job(each) for each in all_inputs if WAYS[each.task.score].able(each.task))
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
    """What a task's baselines reach; of one that has them."""
    return WAYS[task_inputs.task.score].lines(task_inputs)


def fitted(task_inputs: TaskInputs) -> list[ReferenceLine]:
    """Each classifier fitted to the training samples and tested.

    With one thread, since trainings go on beside: cnn-tiny's three took 2 s there, with two threads
    6 and 9, and alone 1.3 and 1.7.
    """
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.preprocessing import StandardScaler

    train, test = task_inputs.splits.train, task_inputs.splits.test
    vocabulary = task_inputs.task.model.every_input[""].vocabulary
    scaler = StandardScaler().fit(_columns(train, vocabulary))
    samples, tested = (scaler.transform(_columns(part, vocabulary)) for part in (train, test))
    found = []
    for name, classifier in classifiers().items():
        began = time.perf_counter()
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore")  # of what has not converged; the line is what it is
            guessed = classifier.fit(samples, train.targets).predict(tested)
        found.append(
            ReferenceLine(
                task=task_inputs.task.name,
                model=name,
                test_accuracy=float(accuracy_score(test.targets, guessed)),
                test_macro_f1=float(f1_score(test.targets, guessed, average="macro")),
                test_samples=len(test),
                seconds=time.perf_counter() - began,
                data_hash=task_inputs.data_hash,
            )
        )
    return found


def counts(task_inputs: TaskInputs) -> list[ReferenceLine]:
    """How often each byte is in the training samples, one more than it was seen; and how often
    after the byte before, to which the first counts as one more sight. Targets below 0 are left
    out.
    """
    from sklearn.metrics import f1_score

    train, test = (
        (part.inputs[part.targets >= 0], part.targets[part.targets >= 0])
        for part in (task_inputs.splits.train, task_inputs.splits.test)
    )
    size = task_inputs.task.model.output_shape()[-1]
    began = time.perf_counter()
    pairs = np.zeros((size, size))
    np.add.at(pairs, train, 1)
    alone = (pairs.sum(axis=0) + 1) / (pairs.sum() + size)
    after = (pairs + alone) / (pairs.sum(axis=1, keepdims=True) + 1)
    given, wanted = test
    found = []
    for name, shares in (("bytes", np.tile(alone, (size, 1))), ("pairs of bytes", after)):
        guessed = shares.argmax(axis=1)[given]
        found.append(
            ReferenceLine(
                task=task_inputs.task.name,
                model=name,
                test_accuracy=float(np.mean(guessed == wanted)),
                test_macro_f1=float(f1_score(wanted, guessed, average="macro")),
                test_samples=wanted.size,
                seconds=time.perf_counter() - began,
                data_hash=task_inputs.data_hash,
                bits_per_byte=float(-np.log2(shares[given, wanted]).mean()),
            )
        )
    return found


def constants(task_inputs: TaskInputs) -> list[ReferenceLine]:
    """Error rates of one answer to all samples: none, and the training samples' most frequent label
    as often as gives them the fewest errors.
    """
    began = time.perf_counter()
    train, test = task_inputs.splits.train.targets, task_inputs.splits.test.targets
    label = int(np.bincount(train[train >= 0]).argmax())

    def errors(targets: NDArray[np.int32], times: int) -> NDArray[np.int64]:
        # Of so many equal labels as many are right as a sample has of them; each of the longer one
        # of the two that is left is an error.
        kept = np.minimum((targets == label).sum(axis=1), times)
        found: NDArray[np.int64] = np.maximum((targets >= 0).sum(axis=1), times) - kept
        return found

    often = min(range(train.shape[1] + 1), key=lambda times: int(errors(train, times).sum()))
    found = []
    for name, times in (("no label", 0), (f"label {label}, {often} times", often)):
        wrong = errors(test, times)
        found.append(
            ReferenceLine(
                task=task_inputs.task.name,
                model=name,
                test_accuracy=float((wrong == 0).mean()),
                test_macro_f1=0.0,
                test_samples=len(test),
                seconds=time.perf_counter() - began,
                data_hash=task_inputs.data_hash,
                error_rate=float(wrong.sum() / (test >= 0).sum()),
            )
        )
    return found


def _columns(samples: Batch, vocabulary: int | None) -> NDArray[np.float32]:
    """(samples, columns), in the precision that networks get."""
    if vocabulary is None:
        return np.asarray(samples.inputs, np.float32).reshape(len(samples), -1)
    one_hot: NDArray[np.float32] = np.eye(vocabulary, dtype=np.float32)[samples.inputs]
    return one_hot.reshape(len(samples), -1)


class Way(NamedTuple):
    """Which tasks of a score have baselines, and what these reach."""

    able: Callable[[Task], bool]
    lines: Callable[[TaskInputs], list[ReferenceLine]]


def _one_of_each(task: Task) -> bool:
    """One input and one target of a sample, as a classifier takes them."""
    return task.model.input is not None and len(task.model.output_shape()) == 1


def _what_follows(task: Task) -> bool:
    """Ids, of which one is to be guessed at every step."""
    given = task.model.input
    return given is not None and given.vocabulary == task.model.output_shape()[-1]


WAYS: dict[Score, Way] = {
    "accuracy": Way(_one_of_each, fitted),
    "bits_per_byte": Way(_what_follows, counts),
    "token_accuracy": Way(translations.able, translations.baselines),
    "error_rate": Way(lambda task: True, constants),
}
