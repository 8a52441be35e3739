"""A decoder as Llama's (Touvron et al. 2023, arXiv 2302.13971, section 2.2), as Hugging Face's
transformers has it (``LlamaForCausalLM``): RMS norm before each part, rotary positions by halves,
a feed-forward part gated by SiLU, no biases.
"""

from __future__ import annotations

from tasks.models.blocks import pre_norm, repeated
from tasks.spec import (
    Attention,
    Embedding,
    Input,
    Layers,
    Linear,
    ModelSpec,
    Multiply,
    RMSNorm,
    Rotary,
    SiLU,
)

DEVIATION = 0.02  # of the initial table
EPSILON = 1e-5


def llama(
    steps: int = 1024,
    blocks: int = 12,
    width: int = 768,
    heads: int = 12,
    key_value_heads: int = 4,
    hidden: int = 2048,
    vocabulary: int = 32_000,
    base: float = 10_000.0,
    name: str = "llama-125m",
) -> ModelSpec:
    """Logits of the next token at every step, of a weight that is the table of words. Without
    arguments it has the sizes that small decoders of this kind share, 100 M parameters;
    ``key_value_heads`` are shared by groups of heads (arXiv 2305.13245).
    """
    attend = Attention(
        width=width,
        heads=heads,
        key_value_heads=key_value_heads,
        causal=True,
        biases=False,
        rotary=Rotary(width=width // heads, base=base, layout="halves"),
    )
    block = pre_norm(
        width,
        EPSILON,
        (("attention", attend),),
        gated(width, hidden, "norm2"),
        norm=RMSNorm,
    )
    return ModelSpec(
        name=name,
        input=Input(shape=(steps,), vocabulary=vocabulary),
        layers=(
            ("word", Embedding(vocabulary=vocabulary, width=width, initial_deviation=DEVIATION)),
            ("layers", repeated(block, blocks)),
            ("norm", RMSNorm(width=width, epsilon=EPSILON)),
            ("head", Linear(in_features=width, out_features=vocabulary, bias=False)),
        ),
        ties=(("head.weight", "word.weight"),),
    )


def gated(width: int, hidden: int, given: str) -> Layers:
    """A feed-forward part of the value ``given``, gated by SiLU (arXiv 2002.05202, SwiGLU)."""
    return (
        ("gate", Linear(in_features=width, out_features=hidden, bias=False), (given,)),
        ("silu", SiLU()),
        ("up", Linear(in_features=width, out_features=hidden, bias=False), (given,)),
        ("gated", Multiply(), ("silu", "up")),
        ("down", Linear(in_features=hidden, out_features=width, bias=False)),
    )
