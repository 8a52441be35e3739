"""The order of the arms in every round."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from suite.measure.schedule import orders


@given(arms=st.integers(1, 9), seed=st.integers(0, 99))
def test_orders_are_balanced(arms, seed):
    rows = orders(arms, seed)
    assert all(sorted(row) == list(range(arms)) for row in rows)
    positions = Counter((arm, place) for row in rows for place, arm in enumerate(row))
    assert len(set(positions.values())) == 1
    followers = Counter(pair for row in rows for pair in pairwise(row))
    if arms > 1:
        assert len(followers) == arms * (arms - 1)
        assert len(set(followers.values())) == 1


def test_orders_are_shuffled():
    assert orders(3, 0) != orders(3, 1)
