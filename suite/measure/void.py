"""Which blocks do not count, and why. They are kept and labelled, and enter no estimate."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from suite.measure import cores, gpu

COMPILED = "compiled anew"
DISTURBED = "disturbed, measured again"
JUMPED = "the clock jumped"
LATE = "the result was not there when wait() returned"
CLOCKS_APART_SECONDS = 0.05
CLOCKS_APART = 0.1  # of the time; the larger of the two
# A result of the last step that is there is read in some 0.02 ms; a kernel that takes the core away
# meanwhile takes milliseconds.
LATE_SECONDS = 0.005
LATE_SHARE = 0.3  # of the block's seconds; the larger of the two
# Of a prediction from that of the same samples in another order, by precision.
APART = {"float32": 1e-3, "tf32": 2e-2, "bfloat16": 1e-1}
QUIET_PRESSURE = 0.25  # of the time may some process wait for a core; on a quiet machine 0.05-0.08
QUIET_STEAL = 0.05  # of the time may the host take away

Noise = Mapping[str, Any]  # as suite.store.schema.Noise


class Stopwatch(NamedTuple):
    """What the worker saw of some steps: their seconds by the monotonic clock and by the wall's,
    and how many programs were compiled in them (None: nothing ever is). Of the last result: is it
    ``finite``, how long was it not there when ``wait`` had returned, and how far is it from what
    its batch must give (suite.worker.fresh.distance; None where that is not known)?
    """

    seconds: float
    wall_seconds: float
    compiled: int | None
    finite: bool = True
    late_seconds: float = 0.0
    apart: float | None = None

    @property
    def jumped(self) -> bool:
        """Did one of the clocks jump? They are different clocks, so that both would have to."""
        apart = abs(self.wall_seconds - self.seconds)
        allowed = max(CLOCKS_APART_SECONDS, CLOCKS_APART * self.seconds)
        return not (self.seconds > 0 and apart <= allowed)

    @property
    def late(self) -> bool:
        """Was there work left when ``wait`` returned?"""
        return self.late_seconds > max(LATE_SECONDS, LATE_SHARE * self.seconds)

    @property
    def void(self) -> str | None:
        """Why these steps do not count; None if they do."""
        if self.jumped:
            return JUMPED
        if self.late:
            return LATE
        return COMPILED if self.compiled else None


def disturbed(blocks: Sequence[tuple[float, Noise]], known_work: Collection[float] = ()) -> bool:
    """Did something else work beside these blocks (seconds, and what the machine did meanwhile), or
    were the cores slower than when ``known_work`` took these milliseconds? Over all of them, since
    the host's ticks are 10 ms, a third of a short block.
    """
    busy = mean(blocks, "pressure") > QUIET_PRESSURE or mean(blocks, "steal") > QUIET_STEAL
    work = [ms for _, noise in blocks if (ms := noise.get("known_work_ms")) is not None]
    held = any(gpu.disturbed(noise.get("gpu")) for _, noise in blocks)
    return busy or held or cores.slow(work, known_work)


def mean(blocks: Sequence[tuple[float, Noise]], name: str) -> float:
    """Of one of the machine's shares beside these blocks, by their seconds; 0 if none is known."""
    known = [(seconds, noise.get(name)) for seconds, noise in blocks]
    total = sum(seconds for seconds, value in known if value is not None)
    return sum(s * value for s, value in known if value is not None) / total if total > 0 else 0.0
