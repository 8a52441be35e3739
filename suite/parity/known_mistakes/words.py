"""The words that a guess begins with."""

from __future__ import annotations

# Also in docs/parity.md, which says what each is about.
GUESSES = (
    *("approximate", "beta1", "beta2", "bias", "causal", "clip_norm", "clipping", "epsilon"),
    *("gates", "gradient", "heads", "kernel", "learning_rate", "logarithm", "mask", "mean"),
    *("milestones", "momentum", "nesterov", "num_layers", "padding", "position", "precision"),
    *("queries", "scale", "sign", "smoothing", "softmax", "statistics", "unrepeatable"),
    *("variance", "warmup_steps", "weight", "weight_decay"),
)


def guess(word: str, words: str) -> str:
    """``words``, led by ``word`` where they do not begin with it."""
    assert word in GUESSES, word
    return words if words.split()[0] == word else f"{word}: {words}"
