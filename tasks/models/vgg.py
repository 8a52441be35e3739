"""VGG (Simonyan, Zisserman 2014, arXiv 1409.1556, table 1)."""

from __future__ import annotations

from tasks.spec import Conv2d, Entry, Flatten, Input, Linear, MaxPool, ModelSpec, ReLU, Sequential

CONVOLUTIONS = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))  # how many, and of how many times the width


def vgg16(
    *, size: int = 224, classes: int = 1000, width: int = 64, hidden: int = 4096
) -> ModelSpec:
    """VGG-16 (configuration D) for images of 3 x size x size, without dropout. Names are
    torchvision's, numbers that count its dropout.
    """
    features, given = list[Entry](), 3
    for count, times in CONVOLUTIONS:
        for _ in range(count):
            made = times * width
            conv = Conv2d(in_channels=given, out_channels=made, kernel_size=3, padding=1)
            features.append((str(len(features)), conv))
            features.append((str(len(features)), ReLU()))
            given = made
        features.append((str(len(features)), MaxPool(size=2, stride=2)))
    places = max(size // 2 ** len(CONVOLUTIONS), 1) ** 2
    classifier = Sequential(
        layers=(
            ("0", Linear(in_features=given * places, out_features=hidden)),
            ("1", ReLU()),
            ("3", Linear(in_features=hidden, out_features=hidden)),
            ("4", ReLU()),
            ("6", Linear(in_features=hidden, out_features=classes)),
        )
    )
    return ModelSpec(
        name="vgg16",
        input=Input(shape=(3, size, size)),
        layers=(
            ("features", Sequential(layers=tuple(features))),
            ("flatten", Flatten()),
            ("classifier", classifier),
        ),
    )
