"""Texts as windows of bytes, for language models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from tasks.base import Batch

VOCABULARY = 256  # bytes

Bytes = NDArray[np.uint8]


def windows(texts: Sequence[Bytes], steps: int, count: int, error: type[ValueError]) -> Batch:
    """``count`` windows in equal distances, among all that lie one after the other in each text;
    the target of each byte is the next one. What is left at a text's end is left out. ``error``
    where there are fewer.
    """
    every = [sliding_window_view(text, steps + 1)[::steps] for text in texts if len(text) > steps]
    cut = np.concatenate(every) if every else np.zeros((0, steps + 1), np.uint8)
    if len(cut) < count:
        raise error(f"{count} windows of {steps} bytes are asked for; there are {len(cut)}")
    chosen = cut[np.arange(count) * len(cut) // count].astype(np.int32)
    return Batch(inputs=chosen[:, :-1], targets=chosen[:, 1:])
