"""Models of real size have the published numbers of parameters, arrays and operations."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from backends.numpy import Backend
from tasks import codec, spec
from tasks.base import probe_batch
from tasks.models.inception import inception_v3
from tasks.models.resnet import resnet50, resnet50_v1
from tasks.models.vgg import vgg16
from tasks.models.vit import vit_b16
from tasks.parameters import probe
from tasks.spec import SGD, ModelSpec, SpecError
from tests.fixtures.reference_cases import EXACT, assert_close, differences

MODELS = [  # of torchvision 0.28 and keras 3.15, counted there: parameters, arrays, 1e9 products
    (resnet50(), 25_557_032, 161, 4.0892),
    (resnet50_v1(), 25_583_592, 161 + 53, None),
    (vgg16(), 138_357_544, 32, 15.4703),
    (inception_v3(), 23_834_568, 284, 5.7132),
    (inception_v3(scale=False, count_padding=False), 23_817_352, 284 - 94, 5.7132),
    (vit_b16(), 86_567_656, 200, 17.5638),
]
TWINS = [
    resnet50(size=32, classes=3, blocks=(1, 2), width=2),
    resnet50_v1(size=32, classes=3, blocks=(1, 2), width=2),
    vgg16(size=32, classes=3, width=1, hidden=4),
    inception_v3(size=75, classes=3, width=1),
    inception_v3(size=75, classes=3, width=1, count_padding=False, scale=False, momentum=0.01),
    vit_b16(size=12, patch=4, classes=3, layers=2, width=8, heads=2, hidden=12),
]


@pytest.mark.parametrize(("model", "parameters", "arrays", "products"), MODELS, ids=range(6))
def test_a_model_has_the_published_numbers(model: ModelSpec, parameters, arrays, products):
    found = model.parameters()
    assert sum(prod(parameter.shape) for parameter in found.values()) == parameters
    assert len(found) == arrays
    assert model.output_shape() == (1000,)
    if products is not None:
        assert model.flops() / 2e9 == pytest.approx(products, rel=1e-4)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (
            resnet50(),
            (
                "conv1.weight",
                "bn1.bias",
                "layer1.0.downsample.0.weight",
                "layer1.0.downsample.1.running_var",
                "layer4.2.bn3.weight",
                "layer4.2.conv3.weight",
                "fc.bias",
            ),
        ),
        (vgg16(), ("features.0.weight", "features.28.bias", "classifier.6.weight")),
        (
            inception_v3(),
            (
                "Conv2d_1a_3x3.conv.weight",
                "Mixed_5b.branch_pool.bn.running_mean",
                "Mixed_6e.branch7x7dbl_5.conv.weight",
                "Mixed_7c.branch3x3dbl_3b.bn.bias",
                "fc.weight",
            ),
        ),
    ],
    ids=["resnet", "vgg", "inception"],
)
def test_names_are_torchvisions(model: ModelSpec, names):
    assert {*names} <= {*model.parameters(), *model.buffers()}


def test_where_a_block_halves_the_size():
    for model, path in ((resnet50(), "layer2.0.conv2"), (resnet50_v1(), "layer2.0.conv1")):
        place = next(place for place in model.places() if place.path == path)
        assert place.input_shape[1:] == (56, 56)
        assert place.output_shape[1:] == (28, 28)


def test_shapes_inside_inception_are_the_papers():
    shapes = {place.path: place.output_shape for place in inception_v3().places()}
    assert shapes["maxpool2"] == (192, 35, 35)
    assert shapes["Mixed_5d.cat"] == (288, 35, 35)
    assert shapes["Mixed_6e.cat"] == (768, 17, 17)
    assert shapes["Mixed_7c.cat"] == (2048, 8, 8)


@pytest.mark.parametrize("model", TWINS, ids=lambda model: model.name)
def test_a_twin_trains_in_the_reference_and_travels_to_a_worker(model: ModelSpec):
    task = codec.bare(model, SGD(learning_rate=0.1), 2)
    assert codec.decode(codec.encode(task)) == task
    parameters, batch = probe(model, 1), probe_batch(task, 2, 1)
    program = Backend().build(task, parameters)
    capture = program.capture(program.put(batch))
    assert list(capture.activations) == [place.path for place in model.places()]
    assert set(capture.gradients) == set(parameters)
    assert all(np.isfinite(gradient).all() for gradient in capture.gradients.values())


def test_a_twin_agrees_with_central_differences():
    model = vit_b16(size=4, patch=2, classes=3, layers=1, width=4, heads=2, hidden=5)
    task = codec.bare(model, SGD(learning_rate=0.1), 2)
    parameters, batch = probe(model, 1), probe_batch(task, 2, 1)
    capture = Backend().build(task, parameters).capture(batch)
    for path, value in parameters.items():
        if path.endswith("key.bias"):  # softmax cancels it
            assert np.linalg.norm(capture.gradients[path]) <= EXACT * capture.scales[path]
            continue
        numeric = differences(
            lambda p, n=path: Backend().build(task, parameters | {n: p}).capture(batch).loss, value
        )
        assert_close(capture.gradients[path], numeric)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: inception_v3(size=74),
            r"inception-v3: Mixed_7a\.branch3x3_2\.conv: Conv2d takes an input of shape "
            r"\(192, height >= 3, width >= 3\), not \(192, 2, 2\)",
        ),
        (
            lambda: vgg16(size=31),
            r"vgg16: features\.30: MaxPool takes .* not \(512, 1, 1\)",
        ),
        (
            lambda: vit_b16(heads=7),
            r"width \(=768\) must be divisible by heads \(=7\)",
        ),
        (
            lambda: resnet50().with_layer(
                "layer1.0.conv3", spec.Conv2d(in_channels=64, out_channels=8, kernel_size=1)
            ),
            r"resnet50: layer1\.0\.bn3: BatchNorm takes an input of shape \(256, height, width\), "
            r"not \(8, 56, 56\)",
        ),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_one_sentence(make, words):
    with pytest.raises(SpecError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
