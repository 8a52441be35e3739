"""BERT (arXiv 1810.04805) and RoBERTa (arXiv 1907.11692), as Hugging Face's transformers has them.

Left out is dropout. Inputs are token ids, ``ids``, and the sentence that each is of, ``types``;
both may be padded.
"""

from __future__ import annotations

from tasks.models.blocks import attention, post_norm, repeated, transform
from tasks.spec import (
    GELU,
    Add,
    Embedding,
    Input,
    LayerNorm,
    Layers,
    Linear,
    ModelSpec,
    PositionalEmbedding,
)

DEVIATION = 0.02  # of initial tables; the published code cuts a normal distribution, this is even


def bert(
    steps: int = 128,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int = 3072,
    vocabulary: int = 30_522,
    rows: int = 512,
    types: int = 2,
    name: str = "bert-base",
) -> ModelSpec:
    """BERT-base with the head that names masked tokens: logits (steps, vocabulary), of a weight
    that is the table of words. ``rows`` are positions.
    """
    places = PositionalEmbedding(steps=steps, width=width, rows=rows, initial_deviation=DEVIATION)
    return _masked_lm(name, blocks, heads, hidden, vocabulary, types, places, epsilon=1e-12)


def roberta(
    steps: int = 128,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int = 3072,
    vocabulary: int = 50_265,
    rows: int = 514,
    name: str = "roberta-base",
) -> ModelSpec:
    """RoBERTa-base with the head that names masked tokens: positions count the valid steps from 2
    on, and all steps are of one type.
    """
    places = PositionalEmbedding(
        steps=steps, width=width, rows=rows, initial_deviation=DEVIATION, offset=2, count="valid"
    )
    return _masked_lm(name, blocks, heads, hidden, vocabulary, 1, places, epsilon=1e-5)


def _masked_lm(
    name: str,
    blocks: int,
    heads: int,
    hidden: int,
    vocabulary: int,
    types: int,
    places: PositionalEmbedding,
    epsilon: float,
) -> ModelSpec:
    steps, width = places.steps, places.width
    block = post_norm(
        width,
        epsilon,
        (("attention", attention(width, heads)),),
        transform(width, hidden, ("gelu", GELU())),
    )
    head: Layers = (
        ("transform", Linear(in_features=width, out_features=width)),
        ("gelu", GELU()),
        ("transform_norm", LayerNorm(width=width, epsilon=epsilon)),
        ("decoder", Linear(in_features=width, out_features=vocabulary)),
    )
    return ModelSpec(
        name=name,
        inputs={
            "ids": Input(shape=(steps,), vocabulary=vocabulary),
            "types": Input(shape=(steps,), vocabulary=types),
        },
        layers=(
            ("word", Embedding(vocabulary=vocabulary, width=width, initial_deviation=DEVIATION)),
            (
                "type",
                Embedding(vocabulary=types, width=width, initial_deviation=DEVIATION),
                ("types",),
            ),
            ("words", Add(), ("word", "type")),
            ("position", places),
            ("norm", LayerNorm(width=width, epsilon=epsilon)),
            ("layer", repeated(block, blocks)),
            *head,
        ),
        ties=(("decoder.weight", "word.weight"),),
    )
