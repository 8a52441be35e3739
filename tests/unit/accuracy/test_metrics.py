"""Macro F1 of a confusion matrix is scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from suite.accuracy.metrics import macro_f1


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_macro_f1_is_scikit_learns(pairs):
    truth, guessed = zip(*pairs, strict=True)
    confusion = np.zeros((5, 5), int)
    np.add.at(confusion, (truth, guessed), 1)
    assert macro_f1(confusion.tolist()) == pytest.approx(
        f1_score(truth, guessed, average="macro", zero_division=0)
    )
