"""Six small tasks that have every layer, for planting faults. Workers do not import this."""

from dataclasses import dataclass

import numpy as np

from tasks import spec
from tasks.base import Batch, Splits, Task
from tasks.parameters import uniform
from tasks.spec import SGD, AdamW, CrossEntropy, Input, ModelSpec

SAMPLES, CLASSES, STEPS, WORDS = 16, 3, 6, 9
TWO = {"source": (STEPS,), "target": (5,)}


@dataclass(frozen=True)
class Uniform:
    """Random samples, reals or ids; with ``stepped`` a target for every step, some below 0."""

    shape: tuple
    vocabulary: int | None = None
    stepped: bool = False
    name: str = "uniform"

    def load(self):
        inputs = uniform(0, "planted", (SAMPLES, *self.shape))
        if self.vocabulary is not None:
            inputs = ((inputs + 1) / 2 * self.vocabulary).astype(np.int32)
        targets = (np.arange(SAMPLES) % CLASSES).astype(np.int32)
        if self.stepped:
            targets = targets[:, None] - np.arange(STEPS, dtype=np.int32) % 2
        samples = Batch(inputs=inputs, targets=targets)
        return Splits(train=samples, validation=samples, test=samples)


@dataclass(frozen=True)
class Named:
    """Random ids of two inputs; the first is padded."""

    name: str = "named"

    def load(self):
        ids = {name: Uniform(shape, WORDS).load().train for name, shape in TWO.items()}
        inputs = {name: batch.inputs for name, batch in ids.items()}
        steps = np.arange(TWO["source"][0])
        valid = {"source": steps < 2 + np.arange(SAMPLES)[:, None] % (len(steps) - 1)}
        samples = Batch(inputs=inputs, targets=ids["source"].targets, valid=valid)
        return Splits(train=samples, validation=samples, test=samples)


def tasks():
    return [
        Task(
            name="planted-two",
            model=ModelSpec(
                name="planted-two",
                inputs={name: Input(shape=shape, vocabulary=WORDS) for name, shape in TWO.items()},
                layers=(
                    ("word", spec.Embedding(vocabulary=WORDS, width=6, scale=3.0)),
                    (
                        "both",
                        spec.LSTM(input_size=6, hidden_size=4, num_layers=1, bidirectional=True),
                    ),
                    ("own", spec.Embedding(vocabulary=WORDS, width=8), ("target",)),
                    (
                        "place",
                        spec.PositionalEmbedding(steps=5, width=8, offset=2, count="valid"),
                    ),
                    (
                        "cross",
                        spec.Attention(
                            width=8,
                            heads=2,
                            key_value_heads=1,
                            rotary=spec.Rotary(width=4, base=100.0, layout="pairs"),
                        ),
                        ("place", "both"),
                    ),
                    ("mean", spec.MeanSteps()),
                    ("fc", spec.Linear(in_features=8, out_features=CLASSES)),
                ),
            ),
            data=Named(),
            loss=CrossEntropy(),
            optimizer=SGD(learning_rate=0.05, momentum=0.9),
            batch_size=8,
            timed_batch_size=8,
            epochs=6,
        ),
        _task(
            "planted-images",
            Input(shape=(2, 6, 7)),
            (
                ("conv", spec.Conv2d(in_channels=2, out_channels=4, kernel_size=3, padding=1)),
                ("relu", spec.ReLU()),
                ("pool", spec.MaxPool(size=2, stride=1)),
                (
                    "halve",
                    spec.Conv2d(
                        in_channels=4,
                        out_channels=7,
                        kernel_size=3,
                        padding=1,
                        stride=2,
                        bias=False,
                    ),
                ),
                ("norm", spec.BatchNorm(channels=7, epsilon=1e-5, momentum=0.1)),
                ("mean", spec.AvgPool(size=3, stride=3)),
                ("flatten", spec.Flatten()),
                ("fc", spec.Linear(in_features=7, out_features=CLASSES)),
            ),
            SGD(learning_rate=0.05, momentum=0.9),
        ),
        _task(
            "planted-words",
            Input(shape=(STEPS,), vocabulary=WORDS),
            (
                ("embedding", spec.Embedding(vocabulary=WORDS, width=8)),
                ("position", spec.PositionalEncoding(width=8)),
                ("sum", spec.Residual(layers=(("attention", spec.Attention(width=8, heads=2)),))),
                ("norm", spec.LayerNorm(width=8, epsilon=1e-5)),
                ("gelu", spec.GELU()),
                ("lstm", spec.LSTM(input_size=8, hidden_size=5, num_layers=2)),
                ("mean", spec.MeanSteps()),
                ("fc", spec.Linear(in_features=5, out_features=CLASSES)),
            ),
            AdamW(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8),
        ),
        _task(
            "planted-rows",
            Input(shape=(STEPS, 8)),
            (
                ("place", spec.PositionalEmbedding(steps=STEPS, width=8)),
                ("attention", spec.Attention(width=8, heads=2, causal=True)),
                ("gru", spec.GRU(input_size=8, hidden_size=5, num_layers=1)),
                ("last", spec.LastStep()),
                ("fc", spec.Linear(in_features=5, out_features=CLASSES)),
            ),
            AdamW(
                learning_rate=1e-3,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-8,
                weight_decay=0.1,
                milestones=(900,),  # only the drills go so far
            ),
        ),
        _task(
            "planted-graph",
            Input(shape=(STEPS,), vocabulary=WORDS),
            (
                ("embedding", spec.Embedding(vocabulary=WORDS, width=8)),
                ("left", spec.Linear(in_features=8, out_features=3)),
                ("right", spec.Linear(in_features=8, out_features=5), ("embedding",)),
                ("cat", spec.Concat(), ("left", "right")),
                ("norm", spec.LayerNorm(width=8, epsilon=1e-5)),
                ("add", spec.Add(), ("norm", "embedding", "cat")),
                ("mean", spec.MeanSteps()),
                ("head", spec.Linear(in_features=8, out_features=WORDS, bias=False)),
            ),
            SGD(learning_rate=0.05, momentum=0.9, warmup_steps=2, schedule="inverse_sqrt"),
            ties=(("head.weight", "embedding.weight"),),
            loss=CrossEntropy(smoothing=0.2),
        ),
        _task(
            "planted-next",
            Input(shape=(STEPS,), vocabulary=WORDS),
            (
                ("embedding", spec.Embedding(vocabulary=WORDS, width=8)),
                ("attention", spec.Attention(width=8, heads=2, causal=True)),
                ("fc", spec.Linear(in_features=8, out_features=CLASSES)),
            ),
            SGD(learning_rate=0.05, momentum=0.9),
            stepped=True,
        ),
    ]


def _task(name, given, layers, optimizer, ties=(), loss=None, stepped=False):
    return Task(
        name=name,
        model=ModelSpec(name=name, input=given, layers=layers, ties=ties),
        data=Uniform(given.shape, given.vocabulary, stepped),
        loss=loss or CrossEntropy(),
        optimizer=optimizer,
        batch_size=8,
        timed_batch_size=8,
        epochs=6,
    )
