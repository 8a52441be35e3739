"""Known mistakes about running statistics: new = (1 - momentum) old + momentum batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mistakes(
    name: str, momentum: float, old: Floats, new: Floats, count: int
) -> Iterator[tuple[str, str | None, str, Floats]]:
    """(one of GUESSES, field, words, what the buffer would be); ``new`` is right, ``count`` values
    per channel.
    """
    batch = (new - (1 - momentum) * old) / momentum
    yield (
        "momentum",
        "momentum",
        "momentum as the weight of the old value",
        momentum * old + (1 - momentum) * batch,
    )
    if name == "running_var":
        biased = batch * (count - 1) / count
        yield "variance", None, "the biased variance", (1 - momentum) * old + momentum * biased
        deviation = np.sqrt(np.maximum(batch, 0))
        yield (
            "variance",
            None,
            "the deviation in place of the variance",
            (1 - momentum) * old + momentum * deviation,
        )
    yield "statistics", None, "a buffer that is never updated", old
    yield "statistics", "momentum", "the batch's statistics as they are", batch
    for other in (0.01, 0.1, 0.001, 0.03, 0.5):
        words = f"momentum {other:g} in place of {momentum:g}"
        yield "momentum", "momentum", words, (1 - other) * old + other * batch
