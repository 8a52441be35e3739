"""Is a batch that was met before predicted quicker than new ones? Then what a block repeats was
remembered, not computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from suite.worker.answers import Freshness
from suite.worker.client import Program

SECONDS = 0.01  # of predictions over new batches
LEAST, MOST = 2, 32  # new batches
PUT_SECONDS = 0.25  # to put them on the device
PAIRS = 5  # all must say so: by chance one in 32, and then by a quarter
QUICKER = 0.25  # of the time over new batches
BYTES_PER_SECOND = 2e9  # a new batch may have to be read from memory; a slow core reads twice that


def quicker(pair: Freshness) -> bool:
    """Does repeating save more than noise and reading a batch from memory explain?"""
    saved = pair.fresh - pair.repeated - pair.bytes / BYTES_PER_SECOND
    return saved > QUICKER * pair.fresh


def look(program: Program, size: int, step_seconds: float) -> list[Freshness]:
    """Have new batches of this size predicted beside repeated ones, until a pair shows that these
    are not quicker. Raises what Worker.call raises.
    """
    steps = ceil(SECONDS / step_seconds) if step_seconds > 0 else MOST
    pairs: list[Freshness] = []
    while len(pairs) < PAIRS:
        found = program.freshness(size, min(max(steps, LEAST), MOST), PUT_SECONDS)
        if found is None:
            break
        pairs.append(found)
        if not quicker(found):
            break
    return pairs


def remembered(pairs: Sequence[Freshness]) -> str | None:
    """What makes the cell implausible, if all pairs say it."""
    if len(pairs) < PAIRS or not all(map(quicker, pairs)):
        return None
    times = sorted(pair.fresh / max(pair.repeated, 1e-9) for pair in pairs)
    return (
        f"a batch that the program has met takes {times[0]:.2g} to {times[-1]:.2g} times less than "
        "new ones: results are remembered, not computed"
    )
