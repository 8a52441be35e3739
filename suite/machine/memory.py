"""The size of this process, from /proc (proc(5)). Standard library only: runs in the worker.

VmHWM is used and not ru_maxrss, which survives exec: a child's floor would be its parent's size.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

from suite.machine.kernel import text

LARGE_BYTES = 2 << 30  # a process below it has little to give back


def resident_bytes() -> int | None:
    """What is in memory now; None where there is no /proc."""
    return _status("VmRSS")


def peak_bytes() -> int | None:
    """The most since the start or since ``reset_peak``."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Let the peak start again from the present size."""
    with suppress(OSError):  # the peak then counts from the start, which is at least the same
        Path("/proc/self/clear_refs").write_text("5")


def give_back() -> None:
    """Have the C library give back what is free in its heap, if this process is large. glibc keeps
    arrays below 32 MiB there: the reference held 8.4 GiB after a step of BERT, with 4 in use.
    """
    if (resident_bytes() or 0) > LARGE_BYTES:
        with suppress(AttributeError):  # glibc's alone
            ctypes.CDLL(None).malloc_trim(0)


def _status(name: str) -> int | None:
    for line in (text(Path("/proc/self/status")) or "").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None
