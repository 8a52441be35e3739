"""What a backend does by a rule of its own is told, and the rest is judged."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from suite.parity import drills
from suite.parity.compare import judged, labelled
from suite.parity.precision import _with_drills
from suite.parity.thresholds import PRECISION
from tests.sample_parity import PROGRAMS, answer

FOUND = {
    "loss/loss": 1e-16,
    "gradients/fc.weight": 2e-16,
    "update/fc.weight": 3e-4,
    "update/fc.bias": 1e-4,
    "buffers/norm.running_var": 5e-5,
}


def test_only_what_is_declared_is_not_judged():
    rest = judged(FOUND, {"update": "its Adam has another epsilon"})
    assert rest.keys() == FOUND.keys() - {"update/fc.weight", "update/fc.bias"}
    assert judged(FOUND, {}) == FOUND


def test_it_is_told_with_its_worst_error():
    words = labelled(FOUND, {"update": "another epsilon", "trained": "not asked for here"})
    assert words == "not judged, by a rule of its own: update off by 3.0e-04 (another epsilon)"
    assert labelled(FOUND, {}) is None


@pytest.mark.parametrize(
    ("key", "told"),
    [("input_gradients/fc", False), ("activations/fc", False), ("gradients/fc.weight", True)],
)
def test_what_a_port_does_not_show_is_no_mistake_in_a_drill_but_what_it_lacks_is(key, told):
    wanted = {"hot logits": {"loss/loss": np.ones(1), key: np.ones(3)}}
    found = {"hot logits": {"loss/loss": np.ones(1)}}
    asked = {"hot logits": drills.DRILLS["hot logits"]}
    assert [mistake.key for mistake in drills.wrong(found, wanted, asked)] == [key] * told
    assert (drills.worst(found, wanted) > 1) == told


@pytest.mark.parametrize(
    ("precision", "whole", "drill", "error", "threshold", "verdict"),
    [
        ("bfloat16", 2.0, 3.0, 2.0, 7.8, "same"),  # 3 of 25 is less than 2 of 7.8
        ("bfloat16", 1.0, 16.0, 16.0, 25.0, "same"),
        ("bfloat16", 1.0, 26.0, 26.0, 25.0, "precision_loss"),
        ("float32", 20.0, 3.0, 20.0, 25.0, "same"),
    ],
)
def test_drills_have_the_limit_of_float32_in_every_precision(
    precision, whole, drill, error, threshold, verdict
):
    right = {"AdamW": {"step 1/fc.weight": np.ones(4)}}
    unit = 2.0**-20  # of the reference's own error
    off = {"AdamW": {"step 1/fc.weight": np.ones(4) * (1 + unit)}}
    made = {"AdamW": {"step 1/fc.weight": np.ones(4) * (1 + drill * unit)}}
    reference = SimpleNamespace(drilled=lambda asked, coarsely=False: off if coarsely else right)
    before = answer("cnn-tiny", PROGRAMS[0], "precision", error=whole, precision=precision)
    told = _with_drills(
        SimpleNamespace(reference=reference),
        before.model_copy(update={"threshold": PRECISION[precision]}),
        made,
        lambda: "same",
    )
    assert (told.verdict, told.threshold) == (verdict, threshold)
    assert told.error == pytest.approx(error, rel=1e-3)
