"""Our small tasks, each with the optimizer that it does not have, clipped and warmed up."""

from dataclasses import replace

from tasks import cnn, rnn, transformer
from tasks.spec import SGD, AdamW

SWAPPED = {
    AdamW: SGD(
        learning_rate=0.05,
        momentum=0.9,
        nesterov=True,
        weight_decay=1e-4,
        clip_norm=1.0,
        warmup_steps=4,
    ),
    SGD: AdamW(
        learning_rate=1e-3,
        beta1=0.9,
        beta2=0.999,
        epsilon=1e-8,
        weight_decay=0.01,
        clip_norm=1.0,
        warmup_steps=4,
    ),
}


def tasks():
    """``cnn-small-swapped`` and its like."""
    return [swapped(task) for task in (cnn.small(), *rnn.tasks()[1:], transformer.small())]


def swapped(task):
    name = f"{task.name}-swapped"
    return replace(
        task,
        name=name,
        model=replace(task.model, name=name),
        optimizer=SWAPPED[type(task.optimizer)],
    )
