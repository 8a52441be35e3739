"""What a backend does by a rule of its own is told, and the rest is judged."""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity import drills
from suite.parity.compare import judged, labelled

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
