"""A known mistake, and the words that a guess begins with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Instead = TypeVar("Instead")

# Also in docs/parity.md, which says what each is about.
GUESSES = (
    *("alignments", "approximate", "beta1", "beta2", "bias", "blank", "causal", "clip_norm"),
    *("clipping", "count_padding", "epsilon"),
    *(
        "gates",
        "gradient",
        "groups",
        "heads",
        "inputs",
        "kernel",
        "learning_rate",
        "logarithm",
        "mask",
        "mean",
    ),
    *("milestones", "momentum", "nesterov", "num_layers", "order", "padding", "position"),
    *(
        "precision",
        "queries",
        "scale",
        "schedule",
        "sign",
        "smoothing",
        "softmax",
        "statistics",
        "targets",
        "unrepeatable",
    ),
    *("variance", "warmup_steps", "weight", "weight_decay"),
)


@dataclass(frozen=True)
class Mistake(Generic[Instead]):
    """One of GUESSES and a name for people, what is computed with in place of the right thing, and
    the field of the layer or optimizer that it is about, if there is one.
    """

    word: str
    words: str
    instead: Instead
    field: str | None = None


def guess(word: str, words: str) -> str:
    """``words``, led by ``word`` where they do not begin with it."""
    assert word in GUESSES, word
    return words if words.split()[0] == word else f"{word}: {words}"
