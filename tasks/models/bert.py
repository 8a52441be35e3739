"""BERT (arXiv 1810.04805) and RoBERTa (arXiv 1907.11692), as Hugging Face's transformers has them.

Left out is dropout. Initial values are those of the articles' code: BERT's are of a normal
distribution cut at two deviations, biases 0; RoBERTa's tables are not cut there, and even here.
Inputs are token ids, ``ids``, and the sentence that each is of, ``types``;
both may be padded.
"""

from __future__ import annotations

from dataclasses import replace

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

DEVIATION = 0.02  # of initial values


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
    classes: int | None = None,
    name: str = "bert-base",
) -> ModelSpec:
    """BERT-base with the head that names masked tokens: logits (steps, vocabulary), of a weight
    that is the table of words. Where it is ``pooled`` it has none, and gives of the first step a
    linear layer's tanh. ``rows`` are positions.
    """
    places = PositionalEmbedding(steps=steps, width=width, rows=rows, truncated_normal=DEVIATION)
    return _model(name, blocks, heads, hidden, vocabulary, types, places, pooled, classes, 1e-12)


def roberta(
    steps: int = 128,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    hidden: int = 3072,
    vocabulary: int = 50_265,
    rows: int = 514,
    pooled: bool = False,
    classes: int | None = None,
    name: str = "roberta-base",
) -> ModelSpec:
    """RoBERTa-base, with a head as ``bert`` has it: positions count the valid steps from 2 on, and
    all steps are of one type.
    """
    places = PositionalEmbedding(
        steps=steps, width=width, rows=rows, initial_deviation=DEVIATION, offset=2, count="valid"
    )
    return _model(name, blocks, heads, hidden, vocabulary, 1, places, pooled, classes, 1e-5)


def _model(
    name: str,
    blocks: int,
    heads: int,
    hidden: int,
    vocabulary: int,
    types: int,
    places: PositionalEmbedding,
    pooled: bool,
    classes: int | None,
    epsilon: float,
) -> ModelSpec:
    steps, width, cut = places.steps, places.width, places.truncated_normal
    block = post_norm(
        width,
        epsilon,
        (("attention", attention(width, heads, truncated_normal=cut)),),
        transform(width, hidden, ("gelu", GELU()), cut),
    )

    def linear(made: int) -> Linear:
        return Linear(in_features=width, out_features=made, truncated_normal=cut)

    def table(words: int) -> Embedding:
        table = Embedding(vocabulary=words, width=width, initial_deviation=DEVIATION)
        return replace(table, initial_deviation=1.0, truncated_normal=cut) if cut else table

    first: Layers = (
        ("first", FirstStep()),
        ("pooler", linear(width)),
        ("tanh", Tanh()),
        *((("classifier", linear(classes)),) if classes else ()),
    )
    pooled = pooled or classes is not None
    masked: Layers = (
        ("transform", linear(width)),
        ("gelu", GELU()),
        ("transform_norm", LayerNorm(width=width, epsilon=epsilon)),
        ("decoder", linear(vocabulary)),
    )
    return ModelSpec(
        name=name,
        inputs={
            "ids": Input(shape=(steps,), vocabulary=vocabulary),
            "types": Input(shape=(steps,), vocabulary=types),
        },
        layers=(
            ("word", table(vocabulary)),
            ("type", table(types), ("types",)),
            ("words", Add(), ("word", "type")),
            ("position", places),
            ("norm", LayerNorm(width=width, epsilon=epsilon)),
            ("layer", repeated(block, blocks)),
            *(first if pooled else masked),
        ),
        ties=() if pooled else (("decoder.weight", "word.weight"),),
    )
