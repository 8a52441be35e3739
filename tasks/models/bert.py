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
    FirstStep,
    Input,
    LayerNorm,
    Layers,
    Linear,
    ModelSpec,
    PositionalEmbedding,
    Tanh,
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
    pooled: bool = False,
    name: str = "bert-base",
) -> ModelSpec:
    """BERT-base with the head that names masked tokens: logits (steps, vocabulary), of a weight
    that is the table of words. Where it is ``pooled`` it has none, and gives of the first step a
    linear layer's tanh. ``rows`` are positions.
    """
    places = PositionalEmbedding(steps=steps, width=width, rows=rows, initial_deviation=DEVIATION)
    return _model(name, blocks, heads, hidden, vocabulary, types, places, pooled, epsilon=1e-12)


def roberta(
    steps: int = 128,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int = 3072,
    vocabulary: int = 50_265,
    rows: int = 514,
    pooled: bool = False,
    name: str = "roberta-base",
) -> ModelSpec:
    """RoBERTa-base, with a head as ``bert`` has it: positions count the valid steps from 2 on, and
    all steps are of one type.
    """
    places = PositionalEmbedding(
        steps=steps, width=width, rows=rows, initial_deviation=DEVIATION, offset=2, count="valid"
    )
    return _model(name, blocks, heads, hidden, vocabulary, 1, places, pooled, epsilon=1e-5)


def _model(
    name: str,
    blocks: int,
    heads: int,
    hidden: int,
    vocabulary: int,
    types: int,
    places: PositionalEmbedding,
    pooled: bool,
    epsilon: float,
) -> ModelSpec:
    steps, width = places.steps, places.width
    block = post_norm(
        width,
        epsilon,
        (("attention", attention(width, heads)),),
        transform(width, hidden, ("gelu", GELU())),
    )
    first: Layers = (
        ("first", FirstStep()),
        ("pooler", Linear(in_features=width, out_features=width)),
        ("tanh", Tanh()),
    )
    masked: Layers = (
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
            *(first if pooled else masked),
        ),
        ties=() if pooled else (("decoder.weight", "word.weight"),),
    )
