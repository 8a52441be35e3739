"""What else the machine did while a block ran. Standard library only: runs in the worker."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple


class Reading(NamedTuple):
    """Counters at one moment; None where the system has none (not Linux, or hidden)."""

    wall_seconds: float
    cpu_seconds: float
    steal_seconds: float | None
    pressure_seconds: float | None
    involuntary_switches: int | None


def read() -> Reading:
    """The counters now."""
    return Reading(time.perf_counter(), time.process_time(), _steal(), _pressure(), _switches())


def between(start: Reading, end: Reading) -> dict[str, float | int | None]:
    """cpu_per_wall: this process's CPU seconds per second; steal: the share of the machine's time
    that its host took away; pressure: the share of time in which some process waited for a core.
    """
    gone = [None if a is None or b is None else b - a for a, b in zip(start, end, strict=True)]
    wall, cpu, steal, pressure, switches = gone
    seconds = max(wall or 0.0, 1e-9)

    def share(value: float | None, of: float) -> float | None:
        return None if value is None else round(value / of, 4)

    return {
        "cpu_per_wall": share(cpu, seconds),
        "steal": share(steal, seconds * (os.cpu_count() or 1)),
        "pressure": share(pressure, seconds),
        "involuntary_switches": switches,
    }


def _steal() -> float | None:
    """The eighth number of /proc/stat's first line, in ticks (proc(5))."""
    try:
        ticks = int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8])
    except (OSError, IndexError, ValueError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK")


def _pressure() -> float | None:
    """Total of "some" in microseconds (Linux Documentation/accounting/psi.rst)."""
    try:
        some = Path("/proc/pressure/cpu").read_text().split("\n", 1)[0]
        return int(some.rpartition("total=")[2]) / 1e6
    except (OSError, ValueError):
        return None


def _switches() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
