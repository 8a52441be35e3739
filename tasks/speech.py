"""Speech: which letters are said."""

from __future__ import annotations

from dataclasses import replace

from tasks.base import Task
from tasks.data.commands import SpokenCommands
from tasks.data.frames import BANDS, LETTERS
from tasks.data.prompts import VoicePrompts
from tasks.spec import (
    CTC,
    LSTM,
    AdamW,
    BatchNorm,
    Conv1d,
    Entry,
    Input,
    Linear,
    ModelSpec,
    ReLU,
)


def tasks() -> list[Task]:
    """Every size."""
    return [tiny(), small(), commands()]


def recognizer(name: str, steps: int, width: int, hidden: int) -> ModelSpec:
    """The order of Deep Speech 2 (arXiv 1512.02595, figure 1) in small: two convolutions along the
    frames, each of which takes every second one, with batch norm over valid steps; a bidirectional
    LSTM; a linear layer to the letters and the blank.
    """
    return ModelSpec(
        name=name,
        input=Input(shape=(steps, BANDS)),
        layers=(
            *_halved("1", BANDS, width),
            *_halved("2", width, width),
            ("lstm", LSTM(input_size=width, hidden_size=hidden, num_layers=1, bidirectional=True)),
            ("fc", Linear(in_features=2 * hidden, out_features=len(LETTERS))),
        ),
    )


def _halved(number: str, given: int, made: int) -> tuple[Entry, ...]:
    conv = Conv1d(
        in_features=given, out_features=made, kernel_size=5, stride=2, padding=2, bias=False
    )
    norm = BatchNorm(channels=made, epsilon=1e-5, momentum=0.1, over="valid")
    return (f"conv{number}", conv), (f"norm{number}", norm), (f"relu{number}", ReLU())


def tiny() -> Task:
    """Width 16 on prompts of two seconds at most. A training took PyTorch 6 CPU seconds, and left
    an error rate of 78 %: it is for parity, not for what it learns.
    """
    model = recognizer("speech-tiny", steps=200, width=16, hidden=16)
    return Task(
        name=model.name,
        model=model,
        data=VoicePrompts(steps=200),
        loss=CTC(),
        optimizer=AdamW(learning_rate=3e-3, beta1=0.9, beta2=0.99, epsilon=1e-8, clip_norm=1.0),
        batch_size=16,
        timed_batch_size=128,
        epochs=30,
        score="error_rate",
    )


def small() -> Task:
    """Width 128 on prompts of four seconds at most: 0.4 million parameters. With seed 0 PyTorch
    left an error rate of 30 % in 72 CPU seconds of training with one thread, JAX 31 % in 79 and
    TensorFlow 30 % in 87.
    """
    model = recognizer("speech-small", steps=400, width=128, hidden=128)
    return Task(
        name=model.name,
        model=model,
        data=VoicePrompts(steps=400),
        loss=CTC(),
        optimizer=AdamW(
            learning_rate=3e-3,
            beta1=0.9,
            beta2=0.99,
            epsilon=1e-8,
            weight_decay=0.01,
            clip_norm=1.0,
            milestones=(900,),  # of 25 epochs of 48 steps, three quarters
        ),
        batch_size=8,
        timed_batch_size=32,
        epochs=25,
        score="error_rate",
    )


def commands() -> Task:
    """The recipe of speech-small on single words of many people: one epoch of 30,800 recordings."""
    model = recognizer("speech-small-commands", steps=100, width=128, hidden=128)
    task = small()
    return replace(
        task,
        name=model.name,
        model=model,
        data=SpokenCommands(steps=100),
        optimizer=replace(task.optimizer, milestones=(720,)),  # of 960 steps, three quarters
        batch_size=32,
        epochs=1,
    )
