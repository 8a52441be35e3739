"""The models that people mean by their names, at their own sizes, on random samples: to be timed
and asked about, not to be trained to the end.

Batches are what two cores take a few seconds for. Optimizers are those that the models were
published with, without what only a long training shows: schedules and warm-ups.
"""

from __future__ import annotations

from tasks.base import Task
from tasks.data.drawn import MASKED, RandomSamples
from tasks.models.bert import bert, roberta
from tasks.models.gpt2 import gpt2
from tasks.models.inception import inception_v3
from tasks.models.llama import llama
from tasks.models.resnet import resnet50
from tasks.models.transformer import transformer
from tasks.models.vgg import vgg16
from tasks.models.vit import vit_b16
from tasks.spec import SGD, AdamW, CrossEntropy, ModelSpec, Optimizer

RECIPE = 3  # samples of a batch that parity trains with; its float64 reference holds them at once
# arXiv 1512.03385, section 3.4: 0.1 for a batch of 256, made smaller with the batch (arXiv
# 1706.02677). With ten times as much, ResNet-50 diverged: two float64 trainings were 10 % apart
# after five steps, by rounding alone.
MOMENTUM = SGD(learning_rate=1e-3, momentum=0.9, weight_decay=1e-4)
BERT = AdamW(  # arXiv 1810.04805, section A.2
    learning_rate=1e-4, beta1=0.9, beta2=0.999, epsilon=1e-6, weight_decay=0.01, clip_norm=1.0
)
DECODER = AdamW(  # arXiv 2005.14165, appendix B
    learning_rate=6e-4, beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1, clip_norm=1.0
)
# arXiv 1706.03762, section 5.3
TRANSLATION = AdamW(learning_rate=7e-4, beta1=0.9, beta2=0.98, epsilon=1e-9)
STEPS = 256  # of a text of GPT-2 and Llama: a quarter of the longest


def tasks() -> list[Task]:
    """Every model."""
    return [
        _task(resnet50(), MOMENTUM, timed=8),
        _task(vgg16(), MOMENTUM, timed=4),
        _task(inception_v3(), MOMENTUM, timed=8),
        _task(vit_b16(), BERT, timed=4),
        _task(bert(), BERT, timed=4, masked=MASKED),
        _task(roberta(), BERT, timed=4, masked=MASKED),
        _task(gpt2(steps=STEPS), DECODER, timed=2),
        _task(llama(steps=STEPS), DECODER, timed=2),
        _task(transformer(), TRANSLATION, timed=8, smoothing=0.1),
    ]


def _task(
    model: ModelSpec,
    optimizer: Optimizer,
    timed: int,
    masked: float | None = None,
    smoothing: float = 0.0,
) -> Task:
    text = any(given.vocabulary for given in model.every_input.values())
    return Task(
        name=model.name,
        model=model,
        data=RandomSamples(model=model, train=8 * timed, masked=masked),
        loss=CrossEntropy(smoothing=smoothing),
        optimizer=optimizer,
        batch_size=RECIPE,
        timed_batch_size=timed,
        epochs=1,
        score="token_accuracy" if text else "accuracy",
        real_size=True,
    )
