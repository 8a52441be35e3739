"""What a backend does by a rule of its own is told, and the rest is judged; but not gradients that
a ReLU or a pool sends another way.
"""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity.compare import judged, labelled, without_flips
from suite.parity.findings import Findings
from tasks import spec, transformer

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


def test_what_a_layer_is_given_is_known_through_residuals():
    found = {place.path: place.sources for place in transformer.tiny().model.places()}
    assert found["embedding"] == ("",)
    assert found["blocks.0.norm1"] == ("blocks.0.sum1",)
    assert found["blocks.0.sum1"] == ("position", "blocks.0.attention")
    assert {source for taken in found.values() for source in taken} <= {"", *found}


@pytest.mark.parametrize("flips", [[], ["relu"], ["pool"], ["relu", "pool"]])
def test_gradients_that_a_flip_reaches_are_not_judged(flips):
    model = spec.ModelSpec(
        name="m",
        input=spec.Input(shape=(1, 4, 4)),
        layers=(
            ("conv", spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1)),
            ("relu", spec.ReLU()),
            ("narrow", spec.Conv2d(in_channels=1, out_channels=1, kernel_size=1)),
            ("pool", spec.MaxPool(size=2, stride=2)),
            ("flatten", spec.Flatten()),
            ("fc", spec.Linear(in_features=4, out_features=2)),
        ),
    )
    values = np.arange(16.0).reshape(1, 1, 4, 4) - 8.5
    wanted = {"activations/conv": values, "activations/narrow": values}
    found = dict(wanted)
    if "relu" in flips:
        found["activations/conv"] = values + np.where(values == -0.5, 1, 0)
    if "pool" in flips:
        found["activations/narrow"] = values + np.where(values == 1.5, 5.5, 0)
    keys = [f"gradients/{path}.weight" for path in ("conv", "narrow", "fc")]
    every = dict.fromkeys(["activations/conv", *keys], 0.5)
    parts = {"loss": 0.0, "scales": {}, "file": ""}
    left, flip = without_flips(
        every, model, Findings(capture=found, **parts), Findings(capture=wanted, **parts)
    )
    assert flip == (flips[-1] if flips else None)
    reached = {None: 0, "relu": 1, "pool": 2}[flip]
    assert list(left) == ["activations/conv", *keys[reached:]]
