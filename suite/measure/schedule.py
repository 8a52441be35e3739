"""In which order the arms of a comparison take their turns."""

from __future__ import annotations

from itertools import permutations
from random import Random

MOST_PERMUTED = 3


def orders(arms: int, seed: int) -> list[list[int]]:
    """One balanced set of rounds, each a permutation of the arms.

    Up to three arms: all permutations, shuffled. More: the rows of a Williams square, shuffled, in
    which every arm stands in every position, and directly after every other, equally often
    (Williams 1949, doi 10.1071/CH9490149).
    """
    if arms <= MOST_PERMUTED:
        rows = [list(p) for p in permutations(range(arms))]
    else:
        rows = _williams(arms)
    Random(seed).shuffle(rows)
    return rows


def _williams(arms: int) -> list[list[int]]:
    first = [0]
    for step in range(1, arms):  # 0, 1, n-1, 2, n-2, ...
        first.append((step + 1) // 2 if step % 2 else arms - step // 2)
    rows = [[(a + shift) % arms for a in first] for shift in range(arms)]
    return rows if arms % 2 == 0 else rows + [row[::-1] for row in rows]
