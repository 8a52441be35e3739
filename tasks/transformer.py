"""Transformer encoders on token sequences."""

from __future__ import annotations

from tasks.base import Task
from tasks.data.digits import DigitTokens
from tasks.models.blocks import post_norm, pre_norm, transform
from tasks.spec import (
    GELU,
    AdamW,
    Attention,
    CrossEntropy,
    Embedding,
    Input,
    LayerNorm,
    Linear,
    MeanSteps,
    ModelSpec,
    PositionalEmbedding,
    PositionalEncoding,
    ReLU,
    Sequential,
)


def tasks() -> list[Task]:
    """Every size."""
    return [tiny(), small()]


def post_norm_block(width: int, heads: int, feed_forward: int, epsilon: float) -> Sequential:
    """Attention and a feed-forward part, each added to its input and then normalised
    (arXiv 1706.03762, section 3.1).
    """
    attend = (("attention", Attention(width=width, heads=heads)),)
    return post_norm(width, epsilon, attend, transform(width, feed_forward, ("relu", ReLU())))


def pre_norm_block(
    width: int,
    heads: int,
    feed_forward: int,
    epsilon: float,
    causal: bool = False,
    approximate: bool = False,
) -> Sequential:
    """Each part normalises its input before it adds to it (arXiv 2002.04745), with GELU, which may
    be ``approximate``; with ``causal`` attention a step sees none after it.
    """
    attend = (("attention", Attention(width=width, heads=heads, causal=causal)),)
    gelu = ("gelu", GELU(approximate=approximate))
    return pre_norm(width, epsilon, attend, transform(width, feed_forward, gelu))


def tiny() -> Task:
    """The source article's Transformer: width 8, two heads, two encoder layers.

    Corrected: the article's positional encoding and its ``nn.Transformer`` call do not run as
    printed; built here are the sinusoids and the encoder of the original paper, post-norm, with a
    feed-forward width of four times the width, and the mean over the steps before the classifier.
    The data are digits read as 64 tokens, the class being whether the digit is at least 5.
    """
    block = post_norm_block(width=8, heads=2, feed_forward=32, epsilon=1e-5)
    model = ModelSpec(
        name="transformer-tiny",
        input=Input(shape=(64,), vocabulary=10),
        layers=(
            ("embedding", Embedding(vocabulary=10, width=8)),
            ("position", PositionalEncoding(width=8)),
            ("blocks", Sequential(layers=(("0", block), ("1", block)))),
            ("mean", MeanSteps()),
            ("fc", Linear(in_features=8, out_features=2)),
        ),
    )
    return Task(
        name=model.name,
        model=model,
        data=DigitTokens(levels=10, threshold=5),
        loss=CrossEntropy(),
        optimizer=AdamW(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8),
        batch_size=32,
        timed_batch_size=128,
        epochs=10,
        target_accuracy=0.6,
    )


def small() -> Task:
    """An encoder of four pre-norm layers of width 256 with learned positions, on digits read as 64
    tokens, one per pixel, in their 17 grey levels. Tables start as BERT's do (arXiv 1810.04805, its
    published code: deviation 0.02): where they start with 1, grey levels stay strangers, and the
    validation loss is higher (0.31 against 0.24 after 8 epochs, PyTorch, seed 0).
    """
    block = pre_norm_block(width=256, heads=4, feed_forward=1024, epsilon=1e-5)
    model = ModelSpec(
        name="transformer-small",
        input=Input(shape=(64,), vocabulary=17),
        layers=(
            ("embedding", Embedding(vocabulary=17, width=256, initial_deviation=0.02)),
            ("position", PositionalEmbedding(steps=64, width=256, initial_deviation=0.02)),
            ("blocks", Sequential(layers=tuple((str(n), block) for n in range(4)))),
            ("norm", LayerNorm(width=256, epsilon=1e-5)),
            ("mean", MeanSteps()),
            ("fc", Linear(in_features=256, out_features=10)),
        ),
    )
    return Task(
        name=model.name,
        model=model,
        data=DigitTokens(levels=17),
        loss=CrossEntropy(),
        optimizer=AdamW(
            learning_rate=5e-4,
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            weight_decay=0.5,
            clip_norm=1.0,
            warmup_steps=20,
            milestones=(351,),  # of 12 epochs of 39 steps, three quarters
        ),
        batch_size=32,
        timed_batch_size=32,
        epochs=12,
        target_accuracy=0.95,
    )
