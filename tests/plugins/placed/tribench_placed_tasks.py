"""Small tasks whose own data have what random samples lack: padding, great values, rare ids."""

from dataclasses import dataclass, replace

import numpy as np

from tasks import spec
from tasks.base import Batch, Splits, Task
from tasks.parameters import uniform
from tasks.spec import AdamW, CrossEntropy, Input, ModelSpec

SAMPLES, CLASSES, STEPS, WORDS, WIDTH = 40, 3, 6, 9, 8
RARE = 8  # an id that one sample has
SIZE = 8  # of the recipe's batches


@dataclass(frozen=True)
class Padded:
    """Ids, one of them rare; or reals, a few of them great; padded on the right."""

    vocabulary: int | None
    name: str = "padded"

    def load(self):
        shape = (SAMPLES, STEPS) if self.vocabulary else (SAMPLES, STEPS, WIDTH)
        inputs = uniform(0, "placed", shape)
        valid = np.arange(STEPS) < 1 + np.arange(SAMPLES)[:, None] % STEPS
        if self.vocabulary:
            inputs = ((inputs + 1) / 2 * RARE).astype(np.int32)
            inputs[-1, 0] = RARE
        else:
            inputs[-1] *= 20
        targets = (np.arange(SAMPLES) % CLASSES).astype(np.int32)
        samples = Batch(inputs=inputs, targets=targets, valid=valid)
        return Splits(train=samples, validation=samples, test=samples)


ADAMW = AdamW(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.1)
SHOWN = (
    ("embedding", spec.Embedding(vocabulary=WORDS, width=WIDTH)),
    ("attention", spec.Attention(width=WIDTH, heads=2, causal=True)),
    ("norm", spec.LayerNorm(width=WIDTH, epsilon=1e-5)),
    ("gelu", spec.GELU()),
)


def tasks():
    ids, reals = Input(shape=(STEPS,), vocabulary=WORDS), Input(shape=(STEPS, WIDTH))
    fc = ("fc", spec.Linear(in_features=WIDTH, out_features=CLASSES))
    lstm = ("lstm", spec.LSTM(input_size=WIDTH, hidden_size=WIDTH, num_layers=1))
    mean, last = ("mean", spec.MeanSteps()), ("last", spec.LastStep())
    flat = ("norm2", spec.LayerNorm(width=WIDTH, epsilon=1e-5))
    return [
        _task("placed-mean", ids, (*SHOWN, mean, flat, fc), ADAMW),
        _task("placed-last", reals, (("relu", spec.ReLU()), lstm, last, fc), ADAMW),
        _task("placed-clipped", reals, (lstm, last, fc), replace(ADAMW, clip_norm=0.01)),
    ]


def _task(name, given, layers, optimizer):
    return Task(
        name=name,
        model=ModelSpec(name=name, input=given, layers=layers),
        data=Padded(given.vocabulary),
        loss=CrossEntropy(),
        optimizer=optimizer,
        batch_size=SIZE,
        timed_batch_size=SIZE,
        epochs=3,
    )
