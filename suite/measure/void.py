"""Which blocks do not count, and why. They are kept and labelled, and enter no estimate."""

from __future__ import annotations

from typing import NamedTuple

COMPILED = "compiled anew"
JUMPED = "the clock jumped"
CLOCKS_APART_SECONDS = 0.05
CLOCKS_APART = 0.1  # of the time; the larger of the two


class Stopwatch(NamedTuple):
    """What the worker saw of some steps: their seconds by the monotonic clock and by the wall's,
    and how many programs were compiled in them (None: nothing ever is).
    """

    seconds: float
    wall_seconds: float
    compiled: int | None

    @property
    def jumped(self) -> bool:
        """Did one of the clocks jump? They are different clocks, so that both would have to."""
        apart = abs(self.wall_seconds - self.seconds)
        allowed = max(CLOCKS_APART_SECONDS, CLOCKS_APART * self.seconds)
        return not (self.seconds > 0 and apart <= allowed)

    @property
    def void(self) -> str | None:
        """Why these steps do not count; None if they do."""
        if self.jumped:
            return JUMPED
        return COMPILED if self.compiled else None
