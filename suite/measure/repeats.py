"""Is a batch that was met before predicted quicker than new ones? Then what a block repeats was
remembered, not computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

SECONDS = 0.01  # of predictions over new batches
LEAST, MOST = 2, 32  # new batches
PUT_SECONDS = 0.25  # to put them on the device
PAIRS = 5  # all must say so: by chance one in 32, and then by a quarter
QUICKER = 0.25  # of the time over new batches
BYTES_PER_SECOND = 2e9  # a new batch may have to be read from memory; a slow core reads twice that


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Seconds of a prediction over new batches and over one again and again, side by side; the
    bytes of a batch; and how far a new one's result was from what it must give, where that is known
    (suite.worker.fresh.distance).
    """

    fresh: float
    repeated: float
    bytes: int
    apart: float | None = None

    @property
    def quicker(self) -> bool:
        """Does repeating save more than noise and reading a batch from memory explain?"""
        saved = self.fresh - self.repeated - self.bytes / BYTES_PER_SECOND
        return saved > QUICKER * self.fresh


def look(call: Callable[..., Any], task: str, step_seconds: float) -> list[Pair]:
    """Have the worker that ``call`` reaches predict new batches beside repeated ones, until a pair
    shows that these are not quicker. Raises what Worker.call raises.
    """
    steps, pairs = ceil(SECONDS / step_seconds) if step_seconds > 0 else MOST, list[Pair]()
    while len(pairs) < PAIRS:
        found = call(
            "freshness",
            task=task,
            steps=min(max(steps, LEAST), MOST),
            within_seconds=PUT_SECONDS,
        )
        if found is None:
            break
        pairs.append(Pair(**found))
        if not pairs[-1].quicker:
            break
    return pairs


def remembered(pairs: Sequence[Pair]) -> str | None:
    """What makes the cell implausible, if all pairs say it."""
    if len(pairs) < PAIRS or not all(pair.quicker for pair in pairs):
        return None
    times = sorted(pair.fresh / max(pair.repeated, 1e-9) for pair in pairs)
    return (
        f"a batch that the program has met takes {times[0]:.2g} to {times[-1]:.2g} times less than "
        "new ones: results are remembered, not computed"
    )
