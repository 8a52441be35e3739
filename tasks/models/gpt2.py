"""GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"), as its
published code has it.
"""

from __future__ import annotations

from tasks.models.blocks import attention, pre_norm, repeated, transform
from tasks.spec import (
    GELU,
    Embedding,
    Input,
    LayerNorm,
    Linear,
    ModelSpec,
    PositionalEmbedding,
)

DEVIATION = 0.02  # of initial tables
EPSILON = 1e-5


def gpt2(
    steps: int = 1024,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    vocabulary: int = 50_257,
    rows: int = 1024,
    name: str = "gpt2",
) -> ModelSpec:
    """GPT-2 small, 124 M parameters: logits of the next token at every step, of a weight that is
    the table of words. Left out is dropout. ``rows`` are positions.

    Queries, keys and values are projected apart, where the published code joins them in one array.
    """
    block = pre_norm(
        width,
        EPSILON,
        (("attention", attention(width, heads, causal=True)),),
        transform(width, 4 * width, ("gelu", GELU(approximate=True))),
    )
    return ModelSpec(
        name=name,
        input=Input(shape=(steps,), vocabulary=vocabulary),
        layers=(
            ("word", Embedding(vocabulary=vocabulary, width=width, initial_deviation=DEVIATION)),
            (
                "position",
                PositionalEmbedding(
                    steps=steps, width=width, rows=rows, initial_deviation=DEVIATION
                ),
            ),
            ("h", repeated(block, blocks)),
            ("norm", LayerNorm(width=width, epsilon=EPSILON)),
            ("head", Linear(in_features=width, out_features=vocabulary, bias=False)),
        ),
        ties=(("head.weight", "word.weight"),),
    )
