"""What transformers are made of: blocks whose parameters have the same paths in all models."""

from __future__ import annotations

from tasks.spec import (
    Attention,
    Entry,
    Layer,
    LayerNorm,
    Layers,
    Linear,
    Residual,
    RMSNorm,
    Sequential,
)


def transform(
    width: int, hidden: int, activation: Entry, truncated_normal: float | None = None
) -> Layers:
    """``linear1``, the activation, ``linear2``."""
    first, second = (
        Linear(in_features=given, out_features=made, truncated_normal=truncated_normal)
        for given, made in ((width, hidden), (hidden, width))
    )
    return (("linear1", first), activation, ("linear2", second))


def post_norm(width: int, epsilon: float, *parts: Layers) -> Sequential:
    """Parts, each added to what it is given, ``sum1``, and then normalised, ``norm1``
    (arXiv 1706.03762, section 3.1).
    """
    entries: list[Entry] = []
    for number, layers in enumerate(parts, start=1):
        entries.append((f"sum{number}", Residual(layers=layers)))
        entries.append((f"norm{number}", LayerNorm(width=width, epsilon=epsilon)))
    return Sequential(layers=tuple(entries))


def pre_norm(
    width: int, epsilon: float, *parts: Layers, norm: type[LayerNorm | RMSNorm] = LayerNorm
) -> Sequential:
    """Parts, each of which normalises what it is given, ``norm1``, before it adds to it, ``sum1``
    (arXiv 2002.04745).
    """
    entries: list[Entry] = []
    for number, layers in enumerate(parts, start=1):
        first = (f"norm{number}", norm(width=width, epsilon=epsilon))
        entries.append((f"sum{number}", Residual(layers=(first, *layers))))
    return Sequential(layers=tuple(entries))


def repeated(block: Layer, number: int) -> Sequential:
    """The block so many times, ``0`` and so on, each with parameters of its own."""
    return Sequential(layers=tuple((str(each), block) for each in range(number)))


def attention(
    width: int,
    heads: int,
    causal: bool = False,
    truncated_normal: float | None = None,
    key_bias: bool = True,
) -> Attention:
    """With a bias of keys, as checkpoints of these models have it, unless it is to be trained."""
    return Attention(
        width=width,
        heads=heads,
        causal=causal,
        key_bias=key_bias,
        truncated_normal=truncated_normal,
    )
