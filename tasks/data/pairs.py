"""Pairs of a source and its translation as tokens, for translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.base import Batch, Splits
from tasks.data.subwords import BYTES, Subwords, learn

Text = tuple[str, str]  # a source and its translation
Row = tuple[list[int], list[int]]  # their tokens

BEGIN, END = 0, 1  # tokens; the subwords' are behind them
SPECIAL = 2


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of at most ``steps`` tokens, the translation's end being one. There are ``vocabulary``
    tokens: two that begin and end a translation, the 256 bytes, and what is learnt of the training
    part. ``train``, ``validation`` and ``test`` are how many pairs of a part are taken; None takes
    all.

    The model is given the source and the translation so far, which begins with ``BEGIN``; the
    target of each of its steps is the next token, at last ``END``. Behind each stands padding,
    which ``valid`` leaves out; targets there are -1.
    """

    steps: int
    vocabulary: int
    train: int | None = None
    validation: int | None = None
    test: int | None = None

    def splits(self, parts: Mapping[str, Sequence[Text]], error: type[ValueError]) -> Splits:
        """Of train, validation and test; ``error`` where a part has fewer pairs."""
        learnt = [text for pair in parts["train"] for text in pair]
        subwords = learn(learnt, self.vocabulary - SPECIAL - BYTES)
        found = {name: pairs_within(part, subwords, self.steps) for name, part in parts.items()}
        counts = {name: getattr(self, name) or max(1, len(rows)) for name, rows in found.items()}
        return Splits(
            **{name: padded(found[name], self.steps, counts[name], error) for name in found}
        )


def pairs_within(pairs: Sequence[Text], subwords: Subwords, steps: int) -> list[Row]:
    """The tokens of those pairs that have room in so many steps."""
    rows = [tuple([SPECIAL + t for t in subwords.tokens(text)] for text in pair) for pair in pairs]
    return [(s, t) for s, t in rows if len(s) <= steps and len(t) < steps]


def padded(rows: Sequence[Row], steps: int, count: int, error: type[ValueError]) -> Batch:
    """The first ``count`` pairs; ``error`` where there are fewer."""
    if len(rows) < count:
        what = f"{count} pairs of {steps} tokens are asked for"
        raise error(f"{what}; there are {len(rows)}")
    source, given, wanted = (np.full((count, steps), END, np.int32) for _ in range(3))
    wanted[:] = -1
    lengths = np.zeros((2, count, 1), np.int32)
    for row, (said, meant) in enumerate(rows[:count]):
        source[row, : len(said)] = said
        given[row, : len(meant) + 1] = [BEGIN, *meant]
        wanted[row, : len(meant) + 1] = [*meant, END]
        lengths[:, row, 0] = len(said), len(meant) + 1
    places = np.arange(steps)
    return Batch(
        inputs={"source": source, "target": given},
        targets=wanted,
        valid={"source": places < lengths[0], "target": places < lengths[1]},
    )
