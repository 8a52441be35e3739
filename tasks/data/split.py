"""One fixed split for every task on a data set, stratified by class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.base import Batch, Splits

SEED, TENTH = 0, 10


def every_tenth(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which samples validate: every tenth of them in the order of their classes, so that each class
    has its share. Unlike scikit-learn's split it can divide a handful, too; it does not shuffle.
    """
    order = np.argsort(labels, kind="stable")
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[order[::-TENTH]] = True
    return chosen


def split(
    inputs: NDArray[Any], targets: NDArray[Any], classes: NDArray[Any], validation: int, test: int
) -> Splits:
    """Divide samples into train, ``validation`` and ``test`` many, each with all classes' shares.

    ``classes`` is what the shares are kept of: tasks that label the same samples in different ways
    get the same split.
    """
    from sklearn.model_selection import train_test_split

    index = np.arange(len(targets))
    rest, tested = train_test_split(index, test_size=test, stratify=classes, random_state=SEED)
    trained, validated = train_test_split(
        rest, test_size=validation, stratify=classes[rest], random_state=SEED
    )
    everything = Batch(inputs=inputs, targets=targets.astype(np.int32))
    return Splits(
        train=everything.take(trained),
        validation=everything.take(validated),
        test=everything.take(tested),
    )
