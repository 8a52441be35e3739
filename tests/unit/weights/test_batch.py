"""A user's samples fit the model, or are refused in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from suite.weights.batch import read
from suite.weights.contents import WeightsError
from suite.weights.npz import encoded
from tasks.models.catalogue import MODELS

IMAGES = MODELS["resnet50"].make(classes=3, blocks=(1, 1, 1, 1), width=2, size=32)
TEXTS = MODELS["bert-base"].make(steps=5, blocks=1, width=8, heads=2, hidden=8, vocabulary=11)
PICTURES = {"inputs": np.zeros((4, 3, 32, 32), np.float32), "targets": np.array([0, 1, 2, -1])}
IDS = np.arange(10).reshape(2, 5)
WORDS = {"inputs.ids": IDS, "inputs.types": IDS % 2, "valid.ids": IDS < 8}


@pytest.fixture
def kept(tmp_path):
    def keep(arrays):
        path = tmp_path / "some.npz"
        path.write_bytes(encoded(arrays))
        return path

    return keep


def test_images_are_read(kept):
    found = read(kept(PICTURES), IMAGES)
    assert (found.inputs.dtype, found.inputs.shape) == (np.float64, (4, 3, 32, 32))
    assert found.targets.tolist() == [0, 1, 2, -1]
    assert found.valid is None


def test_texts_are_read(kept):
    found = read(kept(WORDS), TEXTS)
    assert found.inputs["ids"].dtype == np.int32
    assert np.array_equal(found.inputs["types"], IDS % 2)
    assert np.array_equal(found.valid["ids"], IDS < 8)
    assert (found.targets.shape, found.targets.max()) == ((2, 5), -1)


@pytest.mark.parametrize(
    ("model", "arrays", "words"),
    [
        (IMAGES, {}, "has no inputs"),
        (
            IMAGES,
            {"inputs": np.zeros(4)},
            r"is float64 of \(4,\); it must be floats of \(4,",
        ),
        (IMAGES, {"inputs": np.float32(1)}, r"it must be floats of \(3, 32, 32\)"),
        (IMAGES, {"inputs": np.zeros((0, 3, 32, 32))}, "same number of samples, 1 at least"),
        (IMAGES, PICTURES | {"x\x1b": np.zeros(1)}, "x is no part of a batch; there are inputs, "),
        (IMAGES, PICTURES | {"targets": np.arange(4)}, "targets must be below 3"),
        (IMAGES, PICTURES | {"targets": np.zeros(4)}, "it must be integers"),
        (TEXTS, {"inputs.ids": IDS}, r"has no inputs\.types"),
        (TEXTS, WORDS | {"inputs.ids": IDS + 5}, r"inputs\.ids must be from 0 to 10"),
        (TEXTS, WORDS | {"inputs.ids": IDS - 1}, r"inputs\.ids must be from 0 to 10"),
        (TEXTS, WORDS | {"inputs.types": IDS[:1] % 2}, "same number of samples"),
        (TEXTS, WORDS | {"valid.ids": IDS}, "it must be truth values"),
    ],
)
def test_what_does_not_fit_is_refused(model, arrays, words, kept):
    with pytest.raises(WeightsError, match=words):
        read(kept(arrays), model)
