"""What a backend does by a rule of its own is told, and the rest is judged; but not gradients that
a ReLU or a pool sends another way.
"""

from __future__ import annotations

import numpy as np
import pytest

from suite.parity.compare import first, judged, labelled, without_flips
from suite.parity.findings import Findings
from suite.records.schema import Location
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


GRAPH = spec.ModelSpec(
    name="m",
    input=spec.Input(shape=(4,)),
    layers=(
        ("in", spec.Linear(in_features=4, out_features=4)),
        ("left", spec.Linear(in_features=4, out_features=4, bias=False)),
        ("relu", spec.ReLU()),
        ("right", spec.Linear(in_features=4, out_features=4, bias=False), ("in",)),
        ("kink", spec.ReLU()),
        ("cat", spec.Concat(), ("kink", "relu")),
        ("fc", spec.Linear(in_features=8, out_features=4)),
        ("last", spec.Linear(in_features=4, out_features=4)),
    ),
    ties=(("right.weight", "last.weight"),),
)


def test_a_flip_reaches_what_is_before_it_in_its_own_branch():
    values = np.arange(4.0).reshape(1, 4) - 1.5
    parts = {"loss": 0.0, "scales": {}, "file": ""}
    wanted = {"activations/left": values, "activations/right": values}
    every = {f"gradients/{path}": 0.5 for path in GRAPH.parameters()}
    reached = {"left": {"in.weight", "in.bias", "left.weight"}}
    reached["right"] = {"in.weight", "in.bias", "last.weight"}  # in its other place
    for path, flip in (("left", "relu"), ("right", "kink")):
        found = wanted | {f"activations/{path}": values + (values == -0.5)}
        left, flipped = without_flips(
            every, GRAPH, Findings(capture=found, **parts), Findings(capture=wanted, **parts)
        )
        assert flipped == flip
        assert left.keys() == every.keys() - {f"gradients/{name}" for name in reached[path]}


def test_gradients_of_several_inputs_are_at_their_layer():
    at = first({"input_gradients/cat/1": 1.0, "input_gradients/in": 1.0}, GRAPH, 0.1)
    assert at == ("input_gradients/cat/1", Location(kind="layer", path="cat"))
    at = first({"gradients/last.weight": 1.0}, GRAPH, 0.1)
    assert at == ("gradients/last.weight", Location(kind="parameter", path="last.weight"))


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
