"""Which blocks do not count, and why. They are kept and labelled, and enter no estimate."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from suite.analysis.disturbance import QUIET_PRESSURE, QUIET_STEAL, Noise, mean
from suite.machine import cores
from suite.measure import gpu
from suite.worker.answers import BlockTimes

COMPILED = "compiled anew"
JUMPED = "the clock jumped"
LATE = "the result was not there when wait() returned"
CLOCKS_APART_SECONDS = 0.05
CLOCKS_APART = 0.1  # of the time; the larger of the two
# A result of the last step that is there is read in some 0.02 ms; a kernel that takes the core away
# meanwhile takes milliseconds.
LATE_SECONDS = 0.005
LATE_SHARE = 0.3  # of the block's seconds; the larger of the two
# How far the worker's clock may be from the coordinator's, of its seconds and beside them: the way
# through the pipe took 0.3 to 0.6 ms of 60 blocks on an idle machine. Beside other work the
# coordinator waits for a core: with 10 to 17 processes on two cores honest clocks seemed to go at
# 0.91 to 0.94 in the best of a launch's blocks. Of those of LONG_SECONDS, if there are ENOUGH, one
# must be within.
PACE, BUSY_PACE, PIPE_SECONDS = 0.03, 0.25, 0.002
LONG_SECONDS, ENOUGH = 0.03, 6
# Of a prediction from that of the same samples in another order, by precision.
APART = {"float32": 1e-3, "tf32": 2e-2, "bfloat16": 1e-1}


def jumped(times: BlockTimes) -> bool:
    """Did one of the clocks jump? They are different clocks, so that both would have to."""
    apart = abs(times.wall_seconds - times.seconds)
    allowed = max(CLOCKS_APART_SECONDS, CLOCKS_APART * times.seconds)
    return not (times.seconds > 0 and apart <= allowed)


def late(times: BlockTimes) -> bool:
    """Was there work left when ``wait`` returned?"""
    return times.late_seconds > max(LATE_SECONDS, LATE_SHARE * times.seconds)


def false_clock(blocks: Sequence[tuple[float, float, bool]]) -> str | None:
    """What is wrong with the worker's clock, where these are its seconds for each block of a launch
    and the coordinator's, and whether something else worked beside; None if nothing is, or if that
    cannot be told.
    """
    long = [block for block in blocks if block[1] >= LONG_SECONDS]
    right = [
        abs(ours - its) <= (BUSY_PACE if busy else PACE) * ours + PIPE_SECONDS
        for its, ours, busy in long
    ]
    if len(long) < ENOUGH or any(right):
        return None
    pace = min((its / ours for its, ours, _ in long), key=lambda pace: abs(pace - 1))
    return f"the worker's clock goes at {pace:.2g} times the pace of the coordinator's"


def void(times: BlockTimes) -> str | None:
    """Why these steps do not count; None if they do."""
    if jumped(times):
        return JUMPED
    if late(times):
        return LATE
    return COMPILED if times.compiled else None


def disturbed(blocks: Sequence[tuple[float, Noise]], known_work: Collection[float] = ()) -> bool:
    """Did something else work beside these blocks (seconds, and what the machine did meanwhile), or
    were the cores slower than when ``known_work`` took these milliseconds? Over all of them, since
    the host's ticks are 10 ms, a third of a short block.
    """
    busy = mean(blocks, "pressure") > QUIET_PRESSURE or mean(blocks, "steal") > QUIET_STEAL
    work = [ms for _, noise in blocks if (ms := noise.get("known_work_ms")) is not None]
    held = any(gpu.disturbed(noise.get("gpu")) for _, noise in blocks)
    return busy or held or cores.slow(work, known_work)
