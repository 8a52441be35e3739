"""The Transformer of "Attention Is All You Need" (arXiv 1706.03762), encoder and decoder."""

from __future__ import annotations

from functools import partial
from math import sqrt

from tasks.models.blocks import attention, post_norm, repeated, transform
from tasks.spec import (
    Embedding,
    Entry,
    Input,
    Linear,
    ModelSpec,
    PositionalEncoding,
    ReLU,
)

EPSILON = 1e-5  # of its norms; the paper says none


def transformer(
    source_steps: int = 32,
    target_steps: int = 32,
    blocks: int = 6,
    width: int = 512,
    heads: int = 8,
    hidden: int = 2048,
    vocabulary: int = 37_000,
    name: str = "transformer-base",
    key_bias: bool = True,
) -> ModelSpec:
    """The base model: from ``source`` and the ``target`` so far the logits of the target's next
    token at every step. One table of words is the source's, the target's and the head's weight
    (section 3.4), the first two times the root of the width. Sinusoids stand in halves, as in the
    authors' code. Left out is dropout. A bias of keys changes nothing, since a softmax takes off
    what all have in common: its gradient is rounding alone, which Adam makes steps of. So what is
    trained goes without.
    """

    def embedded(name: str) -> tuple[Entry, ...]:
        table = Embedding(
            vocabulary=vocabulary,
            width=width,
            initial_deviation=1 / sqrt(width),
            scale=sqrt(width),
        )
        places = PositionalEncoding(width=width, layout="halves")
        return (f"{name}_word", table, (name,)), (f"{name}_position", places)

    forward = transform(width, hidden, ("relu", ReLU()))
    attend = partial(attention, width, heads, key_bias=key_bias)
    encode = post_norm(width, EPSILON, (("attention", attend()),), forward)
    decode = post_norm(
        width,
        EPSILON,
        (("attention", attend(causal=True)),),
        (("cross", attend(), ("", "encoder")),),
        forward,
    )
    return ModelSpec(
        name=name,
        inputs={
            "source": Input(shape=(source_steps,), vocabulary=vocabulary),
            "target": Input(shape=(target_steps,), vocabulary=vocabulary),
        },
        layers=(
            *embedded("source"),
            ("encoder", repeated(encode, blocks)),
            *embedded("target"),
            ("decoder", repeated(decode, blocks)),
            ("head", Linear(in_features=width, out_features=vocabulary, bias=False)),
        ),
        ties=(
            ("target_word.weight", "source_word.weight"),
            ("head.weight", "source_word.weight"),
        ),
    )
