"""What a backend does by a rule of its own is told, and the rest is judged."""

from __future__ import annotations

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
