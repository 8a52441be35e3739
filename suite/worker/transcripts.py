"""What a model with the loss CTC writes: its answers, and how far they are from what was said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def best_path(logits: NDArray[Any], blank: int) -> list[int]:
    """The labels of the likeliest class of each step, (steps, classes): of those that follow each
    other and are equal one, and no blank (Graves et al. 2006, doi 10.1145/1143844.1143891, section
    3.2, "best path decoding").
    """
    best = logits.argmax(axis=1)
    first = np.ones(len(best), bool)
    first[1:] = best[1:] != best[:-1]
    return [int(label) for label in best[first & (best != blank)]]


def distance(made: Sequence[int], wanted: Sequence[int]) -> int:
    """The least number of labels that are put in, taken out or changed to make one of the other
    (Levenshtein 1966).
    """
    costs = np.arange(len(wanted) + 1)
    other, along = np.array(wanted, np.intp), np.arange(len(wanted) + 1)
    for label in made:
        kept = costs + 1
        kept[1:] = np.minimum(kept[1:], costs[:-1] + (other != label))
        # What is put in before a place: the least of all before it, one more for each step.
        costs = np.minimum.accumulate(kept - along) + along
    return int(costs[-1])
