"""How fast are this machine's cores just now? A host may run a core of a virtual machine as one of
two threads of its own, beside another machine's or beside this one's second core: nothing counts as
taken away then, and what computes is slower. That it was so here is inferred; nobody saw the host.

Measured on a shared 2-core machine whose host took 0.1 % of the time: for 2 to 5 seconds every 40
or so, and once for 20, hashes on both cores took 1.55 times as long as otherwise. JAX's and
TensorFlow's training step of rnn-small took 1.65 and 1.8 times as long in such a stretch, PyTorch's
1.15: a launch that falls into one compares something else.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Collection, Sequence
from hashlib import blake2b
from statistics import median
from threading import Barrier, Thread

WORK = bytes(1 << 19)  # 0.5 ms; meanwhile other threads run (hashlib: "releases the GIL")
TRIES = 3  # the median counts: any may be interrupted
MOST_CORES = 8  # more threads, begun one after the other, would not be at work at once
SLOW = 1.25  # times what is usual
SEEN = 200  # looks that say what is usual; older ones do not, since processors grow warm
QUARTILE = 4  # of which the lower is usual


def recent() -> deque[float]:
    """For what was seen of the cores: only the last looks stay."""
    return deque(maxlen=SEEN)


def known_work() -> float | None:
    """Milliseconds that a piece of work takes which every core does at once, of the slowest core.
    None where threads cannot be bound to cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))[:MOST_CORES]
    return 1000 * median(_together(cores) for _ in range(TRIES))


def slow(milliseconds: Sequence[float], seen: Collection[float]) -> bool:
    """Is half of this much slower than what is usual, the lower quartile of what was ``seen``? What
    is always so is usual: all threads of a processor share its cores.
    """
    if not milliseconds or not seen:
        return False
    return median(milliseconds) > SLOW * sorted(seen)[len(seen) // QUARTILE]


def _together(cores: Sequence[int]) -> float:
    begin, seconds = Barrier(len(cores)), list[float]()

    def work(core: int) -> None:
        os.sched_setaffinity(0, {core})  # this thread's alone (sched_setaffinity(2))
        begin.wait()
        start = time.perf_counter()
        blake2b(WORK).digest()
        seconds.append(time.perf_counter() - start)

    threads = [Thread(target=work, args=(core,)) for core in cores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(seconds)
