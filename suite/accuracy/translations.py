"""What translates without a network: a look-up of the nearest source in the training part, and the
token that is most frequent after the one before. They are told by their token accuracy.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from suite.engine.inputs import TaskInputs
from suite.records.schema import ReferenceLine
from tasks.base import Batch, Task

Ids = NDArray[np.int32]

INPUTS = {"source", "target"}  # of which the second is the translation so far


def able(task: Task) -> bool:
    """Of a model that names its inputs so, of tokens, and guesses every step."""
    given, (*steps, classes) = task.model.every_input, task.model.output_shape()
    named = given.keys() == INPUTS and given["source"].vocabulary is not None
    return named and len(steps) == 1 and given["target"].vocabulary == classes


def baselines(task_inputs: TaskInputs) -> list[ReferenceLine]:
    """Both, on the test part."""
    from sklearn.metrics import f1_score

    train, test = task_inputs.splits.train, task_inputs.splits.test
    model, there = task_inputs.task.model, test.targets >= 0
    wanted, classes = test.targets[there], model.output_shape()[-1]
    vocabulary = model.every_input["source"].vocabulary or 0

    def looked_up() -> Ids:
        return train.targets.take(nearest(train, test, vocabulary), axis=0)

    def after_the_last() -> Ids:
        return following(train, classes).take(_so_far(test))

    ways: dict[str, Callable[[], Ids]] = {
        "nearest training source": looked_up,
        "pairs of tokens": after_the_last,
    }
    found = []
    for name, guess in ways.items():
        began = time.perf_counter()
        guessed = guess()[there]
        accuracy = float(np.mean(guessed == wanted))
        found.append(
            ReferenceLine(
                task=task_inputs.task.name,
                model=name,
                test_accuracy=accuracy,
                test_macro_f1=float(f1_score(wanted, guessed, average="macro")),
                test_samples=wanted.size,
                seconds=time.perf_counter() - began,
                data_hash=task_inputs.data_hash,
                token_accuracy=accuracy,
            )
        )
    return found


def nearest(train: Batch, test: Batch, vocabulary: int) -> NDArray[np.intp]:
    """Of each test source the training source whose counts of tokens have the greatest cosine with
    its own; the first of several. Its whole translation is the guess, step by step.
    """
    ours, theirs = (_counts(part, vocabulary) for part in (test, train))
    close: NDArray[np.intp] = (ours @ theirs.T).argmax(axis=1)
    return close


def following(train: Batch, classes: int) -> Ids:
    """(classes,): after each token the one that the training part has most often, the first of
    several.
    """
    there = train.targets >= 0
    pairs = np.zeros((classes, classes), np.int64)
    np.add.at(pairs, (_so_far(train)[there], train.targets[there]), 1)
    most: Ids = pairs.argmax(axis=1).astype(np.int32)
    return most


def _so_far(part: Batch) -> Ids:
    return np.asarray(part.inputs["target"], np.int32)


def _counts(part: Batch, vocabulary: int) -> NDArray[np.float64]:
    """(samples, vocabulary), how often each source has each token, of length 1; padding is left
    out.
    """
    source = np.asarray(part.inputs["source"], np.int32)
    masks = part.valid if isinstance(part.valid, dict) else {}
    there = masks.get("source")
    there = np.ones(source.shape, bool) if there is None else there
    found = np.zeros((len(source), vocabulary))
    np.add.at(found, (np.nonzero(there)[0], source[there]), 1)
    length: NDArray[np.float64] = np.linalg.norm(found, axis=1, keepdims=True)
    return found / np.maximum(length, 1)
