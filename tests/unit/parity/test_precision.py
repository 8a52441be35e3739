"""The limits of the checks of an optimizer, in every precision."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from suite.parity.precision import _with_optimizers
from suite.parity.thresholds import PRECISION
from tests.fixtures.sample_parity import PROGRAMS, answer


@pytest.mark.parametrize(
    ("precision", "whole", "check", "error", "threshold", "verdict"),
    [
        ("bfloat16", 2.0, 3.0, 2.0, 7.8, "same"),  # 3 of 25 is less than 2 of 7.8
        ("bfloat16", 1.0, 16.0, 16.0, 25.0, "same"),
        ("bfloat16", 1.0, 26.0, 26.0, 25.0, "precision_loss"),
        ("float32", 20.0, 3.0, 20.0, 25.0, "same"),
    ],
)
def test_drills_have_the_limit_of_float32_in_every_precision(
    precision, whole, check, error, threshold, verdict
):
    right = {"AdamW": {"step 1/fc.weight": np.ones(4)}}
    unit = 2.0**-20  # of the reference's own error
    off = {"AdamW": {"step 1/fc.weight": np.ones(4) * (1 + unit)}}
    made = {"AdamW": {"step 1/fc.weight": np.ones(4) * (1 + check * unit)}}
    reference = SimpleNamespace(
        updates=lambda asked, precision="float64": off if precision == "float32" else right
    )
    before = answer("cnn-tiny", PROGRAMS[0], "precision", error=whole, precision=precision)
    told = _with_optimizers(
        SimpleNamespace(reference=reference),
        before.model_copy(update={"threshold": PRECISION[precision]}),
        made,
        lambda: "same",
    )
    assert (told.verdict, told.threshold) == (verdict, threshold)
    assert told.error == pytest.approx(error, rel=1e-3)
