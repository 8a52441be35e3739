"""How fast are this machine's cores just now? A host may run a core of a virtual machine as one of
two threads of its own, beside another machine's or beside this one's second core: nothing counts as
taken away then, and what computes is slower. That it was so here is inferred; nobody saw the host.

Measured on a shared 2-core machine whose host took 0.1 % of the time: in one launch whole, some 10
seconds, and in parts of four of 26 others, JAX's and TensorFlow's training step of rnn-small took
1.65 and 1.8 times as long, PyTorch's 1.15, so that they compare something else. Looked at after it,
hashes on both cores took 1.55 times as long as on one for 2 to 5 seconds every 40 or so.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Sequence
from hashlib import blake2b
from statistics import median
from threading import Barrier, BrokenBarrierError, Thread

WORK = bytes(1 << 19)  # 0.5 ms, 3 in all; other threads run meanwhile (hashlib: "releases the GIL")
TRIES = 3  # the median counts: any may be interrupted
MOST_CORES = 8  # more threads, begun one after the other, would not be at work at once
# Times what is usual. In rnn-small's training (1,188 blocks) steps took 2 % longer after looks of
# 1.1 to 1.25 times, 4 to 9 % after 1.25 to 1.5, 11 to 12 % after 1.5 to 1.65.
SLOW = 1.25
SEEN = 200  # looks that say what is usual; older ones do not, since processors grow warm
QUARTILE = 4  # of which the lower is usual


def recent() -> deque[float]:
    """For what was seen of the cores: only the last looks stay."""
    return deque(maxlen=SEEN)


def known_work() -> float | None:
    """Milliseconds that a piece of work takes which every core does at once, of the slowest core.
    None where threads cannot be bound to cores: a sandbox may refuse it for all of them, a control
    group for one that it has just lost.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    try:
        cores = sorted(os.sched_getaffinity(0))[:MOST_CORES]
    except OSError:
        return None
    found = list[float]()
    for _ in range(TRIES):
        if (seconds := _together(cores)) is None:
            return None
        found.append(seconds)
    return 1000 * median(found)


def slow(milliseconds: Sequence[float], seen: Collection[float]) -> bool:
    """Is half of this much slower than what is usual, the lower quartile of what was ``seen``? What
    is always so is usual: all threads of a processor share its cores.
    """
    if not milliseconds or not seen:
        return False
    return median(milliseconds) > SLOW * sorted(seen)[len(seen) // QUARTILE]


def _together(cores: Sequence[int]) -> float | None:
    """Seconds of the slowest; None if not all could begin, when nobody waits for the others."""
    begin, seconds = Barrier(len(cores)), list[float]()

    def work(core: int) -> None:
        try:
            os.sched_setaffinity(0, {core})  # this thread's alone (sched_setaffinity(2))
        except OSError:
            begin.abort()
        try:
            begin.wait()
        except BrokenBarrierError:
            return
        start = time.perf_counter()
        blake2b(WORK).digest()
        seconds.append(time.perf_counter() - start)

    begun = list[Thread]()
    try:
        for core in cores:
            thread = Thread(target=work, args=(core,))
            thread.start()
            begun.append(thread)
    except RuntimeError:  # no more threads are allowed
        begin.abort()
    for thread in begun:
        thread.join()
    return max(seconds) if len(seconds) == len(cores) else None
