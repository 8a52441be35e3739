"""What is read from the best path, and how far it is from what was said."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from suite.worker.transcripts import best_path, distance


@pytest.mark.parametrize(
    ("classes", "blank", "wanted"),
    [
        ([], 0, []),
        ([0, 0, 0], 0, []),
        ([1, 1, 0, 1, 2, 2], 0, [1, 1, 2]),
        ([1, 1, 0, 1, 2, 2], 2, [1, 0, 1]),
        ([3], 0, [3]),
    ],
)
def test_equal_steps_are_one_label_and_blanks_are_none(classes, blank, wanted):
    assert best_path(np.eye(4)[np.array(classes, int)], blank) == wanted


def slowly(made, wanted):
    """By its definition."""
    if not made or not wanted:
        return len(made) + len(wanted)
    return min(
        slowly(made[1:], wanted) + 1,
        slowly(made, wanted[1:]) + 1,
        slowly(made[1:], wanted[1:]) + (made[0] != wanted[0]),
    )


def test_a_distance_is_the_least_number_of_changes():
    words = [word for size in range(4) for word in product(range(2), repeat=size)]
    for made, wanted in product(words, words):
        assert distance(made, wanted) == slowly(made, wanted)
    assert distance([*b"kitten"], [*b"sitting"]) == 3
    assert distance([*b"intention"], [*b"execution"]) == 5
