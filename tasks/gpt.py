"""Language models: which byte comes next."""

from __future__ import annotations

from dataclasses import replace

from tasks.base import Task
from tasks.data.sotu import SpeechBytes
from tasks.data.wikitext import WikiText2
from tasks.data.windows import VOCABULARY
from tasks.spec import (
    AdamW,
    CrossEntropy,
    Embedding,
    Input,
    LayerNorm,
    Linear,
    ModelSpec,
    PositionalEmbedding,
    Sequential,
)
from tasks.transformer import pre_norm_block


def tasks() -> list[Task]:
    """Every size."""
    return [tiny(), small(), on_wikitext2(small())]


def language_model(name: str, layers: int, width: int, heads: int, steps: int) -> ModelSpec:
    """GPT-2 (Radford et al., Language Models are Unsupervised Multitask Learners, 2019; its
    published code) of these sizes, on bytes: causal pre-norm blocks with GELU by tanh and a
    feed-forward part of four widths, learned positions, a last norm, and the embedding once more as
    the head. Initial values are uniform, and the projections into the sum are not made smaller.
    """
    block = pre_norm_block(width, heads, 4 * width, epsilon=1e-5, causal=True, approximate=True)
    return ModelSpec(
        name=name,
        input=Input(shape=(steps,), vocabulary=VOCABULARY),
        layers=(
            ("embedding", Embedding(vocabulary=VOCABULARY, width=width, initial_deviation=0.02)),
            ("position", PositionalEmbedding(steps=steps, width=width, initial_deviation=0.02)),
            ("blocks", Sequential(layers=tuple((str(n), block) for n in range(layers)))),
            ("norm", LayerNorm(width=width, epsilon=1e-5)),
            ("head", Linear(in_features=width, out_features=VOCABULARY, bias=False)),
        ),
        ties=(("head.weight", "embedding.weight"),),
    )


def tiny() -> Task:
    """Two layers of width 32 on 64 bytes; ten epochs of 640 windows."""
    model = language_model("gpt-tiny", layers=2, width=32, heads=4, steps=64)
    return Task(
        name=model.name,
        model=model,
        data=SpeechBytes(steps=64, train=640, validation=128, test=256),
        loss=CrossEntropy(),
        optimizer=AdamW(learning_rate=3e-3, beta1=0.9, beta2=0.99, epsilon=1e-8, clip_norm=1.0),
        batch_size=16,
        timed_batch_size=128,
        epochs=10,
        score="bits_per_byte",
    )


def small() -> Task:
    """Four layers of width 128 on 64 bytes: 0.8 million parameters, four epochs of 4800 windows."""
    model = language_model("gpt-small", layers=4, width=128, heads=4, steps=64)
    return Task(
        name=model.name,
        model=model,
        data=SpeechBytes(steps=64, train=4800, validation=512, test=1024),
        loss=CrossEntropy(),
        optimizer=AdamW(
            learning_rate=3e-3,
            beta1=0.9,
            beta2=0.99,
            epsilon=1e-8,
            weight_decay=0.1,
            clip_norm=1.0,
            warmup_steps=50,
            milestones=(450,),  # of 4 epochs of 150 steps, three quarters
        ),
        batch_size=32,
        timed_batch_size=32,
        epochs=4,
        score="bits_per_byte",
    )


def on_wikitext2(task: Task) -> Task:
    """The task's model and optimizer on articles: one epoch of ten times as many windows."""
    name, steps = f"{task.name}-wikitext2", task.model.every_input[""].shape[0]
    return replace(
        task,
        name=name,
        model=replace(task.model, name=name),
        data=WikiText2(steps=steps, train=48000, validation=1024, test=4096),
        optimizer=replace(task.optimizer, milestones=(1125,)),  # of 1500 steps, three quarters
        epochs=1,
    )
