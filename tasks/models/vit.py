"""The vision transformer (Dosovitskiy et al. 2020, arXiv 2010.11929, table 1 and equations 1-4)."""

from __future__ import annotations

from math import sqrt

from tasks.models.blocks import attention, pre_norm, repeated, transform
from tasks.spec import (
    GELU,
    ClassToken,
    Conv2d,
    FirstStep,
    Input,
    LayerNorm,
    Linear,
    ModelSpec,
    PlacesToSteps,
    PositionalEmbedding,
)

LEFT = 0.87962566103423978  # of a normal distribution's deviation that is cut at two of them


def vit_b16(
    *,
    size: int = 224,
    patch: int = 16,
    classes: int = 1000,
    layers: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int = 3072,
    epsilon: float = 1e-6,
) -> ModelSpec:
    """ViT-B/16 for images of 3 x size x size, without dropout; size is a multiple of ``patch``.
    The epsilon is that of the paper's code, torchvision and timm; transformers has 1e-12. Patches
    start as in the paper's code: cut at two deviations, and corrected to 1 / sqrt(fan in). Other
    layers start as they do here everywhere: there they are even within other bounds.
    """
    block = pre_norm(
        width,
        epsilon,
        (("attention", attention(width, heads)),),
        transform(width, hidden, ("gelu", GELU())),
    )
    patches = Conv2d(
        in_channels=3,
        out_channels=width,
        kernel_size=patch,
        stride=patch,
        truncated_normal=1 / (LEFT * patch * sqrt(3)),
    )
    steps = (size // patch) ** 2 + 1
    return ModelSpec(
        name="vit-b16",
        input=Input(shape=(3, size, size)),
        layers=(
            ("patches", patches),
            ("steps", PlacesToSteps()),
            ("class_token", ClassToken(width=width)),
            ("position", PositionalEmbedding(steps=steps, width=width)),
            ("layers", repeated(block, layers)),
            ("norm", LayerNorm(width=width, epsilon=epsilon)),
            ("first", FirstStep()),
            ("head", Linear(in_features=width, out_features=classes)),
        ),
    )
