"""What trainings are compared by: the score of their task. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, nan

from suite.records.schema import Training
from tasks.base import Score

BIT = log(2)  # in the units of a cross-entropy


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """``test`` and ``curve`` take a training's score and those of its epochs from a record, as the
    schema has them; ``scale`` brings them into ``unit``, and differences into ``apart``. A
    difference within ``margin``, unscaled, is of no consequence. ``counted`` is what the score is a
    mean over, and ``note`` says how.
    """

    name: str
    counted: str
    note: str
    unit: str
    apart: str
    scale: float
    digits: int  # of a difference in ``apart``
    higher_is_better: bool
    margin: float
    test: Callable[[Training], float]
    curve: Callable[[Training], Sequence[float]]


SCORES: dict[Score, Scoring] = {
    "accuracy": Scoring(
        name="accuracy",
        counted="samples",
        note="The share of test samples that are guessed.",
        unit="%",
        apart="points",
        scale=100,
        digits=2,
        higher_is_better=True,
        margin=0.02,
        test=lambda training: training.test_accuracy,
        curve=lambda training: training.validation_accuracies,
    ),
    "bits_per_byte": Scoring(
        name="bits per byte",
        counted="bytes",
        note="The cross-entropy over ln 2; lower is better.",
        unit="bits per byte",
        apart="bits",
        scale=1,
        digits=3,
        higher_is_better=False,
        margin=0.02,  # 1.4 % of the perplexity of a byte
        test=lambda training: training.test_loss / BIT,
        curve=lambda training: [loss / BIT for loss in training.validation_losses],
    ),
    "token_accuracy": Scoring(
        name="token accuracy",
        counted="tokens",
        note="The share of tokens that are guessed, each with the right ones before it given.",
        unit="%",
        apart="points",
        scale=100,
        digits=2,
        higher_is_better=True,
        margin=0.01,  # a tenth of what translation-small is to gain over a look-up
        test=lambda training: training.test_accuracy,
        curve=lambda training: training.validation_accuracies,
    ),
    "error_rate": Scoring(
        name="error rate",
        counted="samples",
        note="Labels to put in, take out or change in what is read from the best path, as a share "
        "of those that are there; lower is better.",
        unit="%",
        apart="points",
        scale=100,
        digits=2,
        higher_is_better=False,
        margin=0.02,  # of a hundred labels two, as of a hundred samples with an accuracy
        test=lambda training: nan if training.error_rate is None else training.error_rate,
        curve=lambda training: training.validation_error_rates,
    ),
}
