"""Layers alone, in the cases where adapters go wrong. Every case is a layer, the shape of one
sample's input, and which steps are valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.engine.remote import bare
from tasks import spec
from tasks.base import Batch, Task
from tasks.spec import SGD, Input, Layer, ModelSpec

SAMPLES, STEPS = 4, 6

RAGGED = np.arange(STEPS) < np.array([[6], [4], [1], [3]])
LEFT = RAGGED[:, ::-1]
HOLES = np.array(
    [[1, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1], [0, 0, 1, 0, 0, 1]], dtype=bool
)
NONE = np.where(np.arange(SAMPLES)[:, None] == 2, False, RAGGED)  # one row has no valid step


@dataclass(frozen=True)
class Case:
    """One layer in one case."""

    name: str
    layer: Layer
    shape: tuple[int, ...]
    valid: NDArray[np.bool_] | None = None
    vocabulary: int | None = None

    @property
    def task(self) -> Task:
        """A task whose model is this layer, so that an adapter can build it."""
        model = ModelSpec(
            name=f"case-{self.name}",
            input=Input(shape=self.shape, vocabulary=self.vocabulary),
            layers=(("layer", self.layer),),
        )
        return bare(model, SGD(learning_rate=0.1), SAMPLES)


def _conv(size: int, kernel: int, stride: int, padding: int, bias: bool = True) -> Case:
    layer = spec.Conv2d(
        in_channels=3,
        out_channels=5,
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        bias=bias,
    )
    name = f"conv-{size}-k{kernel}-s{stride}-p{padding}{'' if bias else '-nobias'}"
    return Case(name, layer, (3, size, size + 1))


def _pool(size: int, window: int, stride: int) -> Case:
    layer = spec.MaxPool(size=window, stride=stride)
    return Case(f"pool-{size}-{window}-{stride}", layer, (3, size, size + 1))


PADDINGS = {"full": None, "ragged": RAGGED, "left": LEFT, "holes": HOLES, "none": NONE}

RECURRENT = {
    "lstm": spec.LSTM(input_size=5, hidden_size=4, num_layers=2),
    "gru": spec.GRU(input_size=5, hidden_size=4, num_layers=2),
}

CASES = [
    *(
        _conv(size, 3, stride, padding)
        for size in (7, 8)
        for stride in (1, 2)
        for padding in (0, 1)
    ),
    _conv(8, 1, 1, 0, bias=False),
    *(_pool(size, 2, 2) for size in (7, 8)),
    _pool(8, 3, 2),
    _pool(7, 3, 1),
    *(
        Case(f"mean-pool-{size}-{window}-{stride}", layer, (3, size, size + 1))
        for size, window, stride in ((8, 2, 2), (7, 3, 1), (8, 8, 8))
        for layer in (spec.AvgPool(size=window, stride=stride),)
    ),
    Case("batch-norm", spec.BatchNorm(channels=3, epsilon=1e-2, momentum=0.3), (3, 4, 5)),
    Case("relu", spec.ReLU(), (3, 4, 5)),
    Case("gelu", spec.GELU(), (3, 4, 5)),
    Case("gelu-approximate", spec.GELU(approximate=True), (STEPS, 7)),
    Case("flatten", spec.Flatten(), (3, 4, 5)),
    Case("linear", spec.Linear(in_features=7, out_features=3), (7,)),
    Case("linear-steps", spec.Linear(in_features=7, out_features=3, bias=False), (STEPS, 7)),
    Case("embedding", spec.Embedding(vocabulary=9, width=4), (STEPS,), vocabulary=9),
    Case("position", spec.PositionalEncoding(width=6), (STEPS, 6)),
    Case("position-embedding", spec.PositionalEmbedding(steps=STEPS, width=5), (STEPS, 5)),
    Case("norm", spec.LayerNorm(width=8, epsilon=1e-2), (STEPS, 8)),
    *(
        Case(
            f"attention-{padding}{'-causal' if causal else ''}",
            spec.Attention(width=8, heads=2, causal=causal),
            (STEPS, 8),
            valid,
        )
        for padding, valid in PADDINGS.items()
        for causal in (False, True)
    ),
    *(
        Case(f"{name}-{padding}", layer, (STEPS, 5), valid)
        for name, layer in RECURRENT.items()
        for padding, valid in PADDINGS.items()
    ),
    # Longer than what adapters unroll.
    *(Case(f"{name}-long", layer, (20, 5)) for name, layer in RECURRENT.items()),
    *(Case(f"last-{p}", spec.LastStep(), (STEPS, 5), valid) for p, valid in PADDINGS.items()),
    *(Case(f"mean-{p}", spec.MeanSteps(), (STEPS, 5), valid) for p, valid in PADDINGS.items()),
]


def padded_task(causal: bool) -> Task:
    """Embedding, attention, LSTM and pooling in one model, for batches with padding."""
    model = ModelSpec(
        name=f"padded-{'causal' if causal else 'open'}",
        input=Input(shape=(STEPS,), vocabulary=9),
        layers=(
            ("embedding", spec.Embedding(vocabulary=9, width=4)),
            (
                "sum",
                spec.Residual(
                    layers=(("attention", spec.Attention(width=4, heads=2, causal=causal)),)
                ),
            ),
            ("norm", spec.LayerNorm(width=4, epsilon=1e-5)),
            ("lstm", spec.LSTM(input_size=4, hidden_size=5, num_layers=2)),
            ("pool", spec.LastStep() if causal else spec.MeanSteps()),
            ("fc", spec.Linear(in_features=5, out_features=3)),
        ),
    )
    optimizer = spec.AdamW(
        learning_rate=1e-2,
        beta1=0.9,
        beta2=0.99,
        epsilon=1e-8,
        weight_decay=0.1,
        clip_norm=0.5,
        warmup_steps=4,
    )
    return bare(model, optimizer, SAMPLES)


def padded_batch() -> Batch:
    """Ids with every kind of padding among the rows."""
    ids = np.arange(SAMPLES * STEPS).reshape(SAMPLES, STEPS) * 7 % 9
    valid = np.stack([RAGGED[1], LEFT[1], HOLES[0], NONE[2]])
    targets = np.array([0, 2, 1, 2], dtype=np.int32)
    return Batch(inputs=ids.astype(np.int32), targets=targets, valid=valid)
