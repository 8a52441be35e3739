"""Is a step quicker where it repeats a batch, or with a batch that was put on the device after the
parameters? Then what a block repeats was remembered, not computed, or was computed beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from suite.records.schema import Phase
from suite.worker.answers import Freshness
from suite.worker.client import Program

SECONDS = 0.01  # of steps over new batches
LEAST, MOST = 2, 32  # new batches
PUT_SECONDS = 0.25  # to put them on the device
LOOKS = 12
# Looks that may show nothing where the others do, and the seconds of a step for each: on two busy
# cores a look at honest adapters' short steps showed something in 0 to 0.3 of the cases, and at a
# step that a new batch makes a third longer nothing in 0.1.
MISSES, SECONDS_PER_MISS = 2, 0.1
QUICKER = 0.1  # of the time over new batches
BYTES_PER_SECOND = 2e9  # a new batch may have to be read from memory; a slow core reads twice that
KINDS = {
    "repeated": "a batch that the program has met takes {} times less than new ones: results are "
    "remembered, not computed",
    "since": "a batch that is put on the device at the present parameters takes {} times less than "
    "one put there at others: putting it there computes a part",
}


def look(program: Program, phase: Phase, size: int, step_seconds: float) -> list[Freshness]:
    """LOOKS looks with batches of this size, where a step takes about ``step_seconds``; fewer if
    they show nothing. Raises what Worker.call raises.
    """
    steps = max(LEAST, ceil(SECONDS / max(step_seconds, SECONDS / MOST)))
    misses = min(MISSES, int(SECONDS_PER_MISS / max(step_seconds, SECONDS_PER_MISS / MISSES)))
    looks: list[Freshness] = []
    while len(looks) < LOOKS and _shown(looks, misses):
        found = program.freshness(phase, size, steps, PUT_SECONDS)
        if found is None:
            break
        looks.append(found)
    return looks


def fault(looks: Sequence[Freshness]) -> str | None:
    """What makes the cell implausible, in a sentence, if LOOKS looks show it."""
    if len(looks) < LOOKS or not (kinds := _shown(looks, MISSES)):
        return None
    times = sorted(look.new / max(getattr(look, kinds[0]), 1e-9) for look in looks)
    return KINDS[kinds[0]].format(f"{times[0]:.2g} to {times[-1]:.2g}")


def _shown(looks: Sequence[Freshness], misses: int) -> list[str]:
    """The kinds of steps that are quicker than over new batches, beyond noise and reading a batch
    from memory, in all looks but so many.
    """

    def quicker(look: Freshness, kind: str) -> bool:
        seconds = getattr(look, kind)
        read = look.bytes / BYTES_PER_SECOND
        return seconds is not None and look.new - seconds - read > QUICKER * look.new

    return [k for k in KINDS if sum(not quicker(look, k) for look in looks) <= misses]
