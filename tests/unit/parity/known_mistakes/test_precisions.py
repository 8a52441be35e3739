"""Rounding to a number of bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from suite.parity.known_mistakes import precisions


@given(st.floats(-1e30, 1e30, allow_subnormal=False), st.integers(2, 24))
def test_rounding_keeps_so_many_bits(value, bits):
    array = np.array([value])
    kept = precisions.rounded(array, bits)
    assert np.abs(kept - array) <= np.abs(array) * 2.0**-bits
    assert np.array_equal(precisions.rounded(kept, bits), kept)
