"""Recurrent networks on short sequences."""

from __future__ import annotations

from tasks.base import Task
from tasks.data.breast_cancer import BreastCancer
from tasks.spec import LSTM, AdamW, CrossEntropy, Input, LastStep, Linear, ModelSpec


def tasks() -> list[Task]:
    """Every size."""
    return [tiny()]


def tiny() -> Task:
    """The source article's RNN: two LSTM layers of hidden size 8, the last step classified.

    Padding and truncation have nothing to do on this data: every sequence has its 3 steps.
    """
    model = ModelSpec(
        name="rnn-tiny",
        input=Input(shape=(3, 10)),
        layers=(
            ("lstm", LSTM(input_size=10, hidden_size=8, num_layers=2)),
            ("last", LastStep()),
            ("fc", Linear(in_features=8, out_features=2)),
        ),
    )
    return Task(
        name=model.name,
        model=model,
        data=BreastCancer(),
        loss=CrossEntropy(),
        optimizer=AdamW(learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8),
        batch_size=16,
        timed_batch_size=128,
        epochs=10,
    )
