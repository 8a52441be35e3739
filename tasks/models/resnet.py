"""Residual networks with bottlenecks (He et al. 2015, arXiv 1512.03385, table 1 and figure 5)."""

from __future__ import annotations

from functools import partial

from tasks.spec import (
    Add,
    BatchNorm,
    Conv2d,
    Entry,
    Input,
    Layers,
    Linear,
    MaxPool,
    MeanPlaces,
    ModelSpec,
    ReLU,
    Sequential,
)


def resnet50(
    *,
    size: int = 224,
    classes: int = 1000,
    blocks: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
    stride_first: bool = False,
    bias: bool = False,
    epsilon: float = 1e-5,
    momentum: float = 0.1,
) -> ModelSpec:
    """ResNet-50 v1.5 for images of 3 x size x size, as torchvision has it, with its names: a block
    that halves the size does so in its convolution of 3x3. With ``stride_first`` it does so in its
    first one of 1x1, as in the paper. ``bias`` is of the convolutions.
    """
    conv = partial(_convolution, bias=bias, epsilon=epsilon, momentum=momentum)

    def block(given: int, inner: int, stride: int, project: bool) -> Sequential:
        first, second = (stride, 1) if stride_first else (1, stride)
        shortcut: tuple[Entry, ...] = ()
        if project:
            beside = Sequential(layers=conv("0", "1", given, 4 * inner, 1, stride))
            shortcut = (("downsample", beside, ("",)),)
        return Sequential(
            layers=(
                *conv("conv1", "bn1", given, inner, 1, first),
                ("relu1", ReLU()),
                *conv("conv2", "bn2", inner, inner, 3, second),
                ("relu2", ReLU()),
                *conv("conv3", "bn3", inner, 4 * inner, 1, 1),
                *shortcut,
                ("sum", Add(), ("bn3", "downsample" if project else "")),
                ("relu3", ReLU()),
            )
        )

    layers: list[Entry] = [
        *conv("conv1", "bn1", 3, width, 7, 2),
        ("relu", ReLU()),
        ("maxpool", MaxPool(size=3, stride=2, padding=1)),
    ]
    given = width
    for stage, count in enumerate(blocks):
        inner, group = width << stage, list[Entry]()
        for number in range(count):
            stride = 2 if stage and not number else 1
            group.append((str(number), block(given, inner, stride, not number)))
            given = 4 * inner
        layers.append((f"layer{stage + 1}", Sequential(layers=tuple(group))))
    layers.append(("avgpool", MeanPlaces()))
    layers.append(("fc", Linear(in_features=given, out_features=classes)))
    given_image = Input(shape=(3, size, size))
    return ModelSpec(name="resnet50", input=given_image, layers=tuple(layers))


# As keras.applications has it: strides as in the paper, biases, another epsilon and momentum.
resnet50_v1 = partial(resnet50, stride_first=True, bias=True, epsilon=1.001e-5, momentum=0.01)


def _convolution(
    name: str,
    norm: str,
    given: int,
    made: int,
    size: int,
    stride: int,
    *,
    bias: bool,
    epsilon: float,
    momentum: float,
) -> Layers:
    """A convolution that keeps the size, but for its stride, and batch norm."""
    convolution = Conv2d(
        in_channels=given,
        out_channels=made,
        kernel_size=size,
        stride=stride,
        padding=size // 2,
        bias=bias,
    )
    return (
        (name, convolution),
        (norm, BatchNorm(channels=made, epsilon=epsilon, momentum=momentum)),
    )
