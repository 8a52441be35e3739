"""Translation: which token comes next in French, of what programs say in English."""

from __future__ import annotations

from dataclasses import replace

from tasks.base import Task
from tasks.data.catalogues import MessagePairs
from tasks.data.multi30k import Multi30k
from tasks.models.transformer import transformer
from tasks.spec import AdamW, CrossEntropy


def tasks() -> list[Task]:
    """Every size."""
    return [tiny(), small(), multi30k()]


def tiny() -> Task:
    """One block of width 32 on each side, 24 tokens of 512; ten epochs of 2400 messages."""
    model = transformer(
        *(24, 24),
        blocks=1,
        width=32,
        heads=2,
        hidden=64,
        vocabulary=512,
        name="translation-tiny",
        key_bias=False,
    )
    return Task(
        name=model.name,
        model=model,
        data=MessagePairs(steps=24, vocabulary=512, train=2400, validation=160, test=320),
        loss=CrossEntropy(smoothing=0.1),
        optimizer=AdamW(
            learning_rate=5e-3,
            beta1=0.9,
            beta2=0.98,
            epsilon=1e-9,
            warmup_steps=100,
            schedule="inverse_sqrt",
        ),
        batch_size=32,
        timed_batch_size=128,
        epochs=10,
        score="token_accuracy",
    )


def small() -> Task:
    """Two blocks of width 128 on each side, 24 tokens of 1024: 1.1 million parameters; ten epochs
    of 3000 messages. Smoothing, schedule and Adam's numbers are those of arXiv 1706.03762, section
    5, with a shorter warm-up and gradients that are clipped.
    """
    model = transformer(
        *(24, 24),
        blocks=2,
        width=128,
        heads=4,
        hidden=512,
        vocabulary=1024,
        name="translation-small",
        key_bias=False,
    )
    return Task(
        name=model.name,
        model=model,
        data=MessagePairs(steps=24, vocabulary=1024, train=3000, validation=190, test=380),
        loss=CrossEntropy(smoothing=0.1),
        optimizer=AdamW(
            learning_rate=2e-3,
            beta1=0.9,
            beta2=0.98,
            epsilon=1e-9,
            clip_norm=1.0,
            warmup_steps=200,
            schedule="inverse_sqrt",
        ),
        batch_size=32,
        timed_batch_size=32,
        epochs=10,
        score="token_accuracy",
    )


def multi30k() -> Task:
    """The recipe of translation-small on descriptions of photographs, from English to German: 48
    tokens of 4096.
    """
    model = transformer(
        *(48, 48),
        blocks=2,
        width=128,
        heads=4,
        hidden=512,
        vocabulary=4096,
        name="translation-small-multi30k",
        key_bias=False,
    )
    return replace(small(), name=model.name, model=model, data=Multi30k(steps=48, vocabulary=4096))
