"""What else the machine did while a block ran. Standard library only: runs in the worker."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; None where the system has none (not Linux, or hidden)."""

    wall_seconds: float
    cpu_seconds: float
    steal_seconds: float | None
    pressure_seconds: float | None
    involuntary_switches: int | None


def read() -> Reading:
    """The counters now."""
    return Reading(
        wall_seconds=time.perf_counter(),
        cpu_seconds=time.process_time(),
        steal_seconds=_steal(),
        pressure_seconds=_pressure(),
        involuntary_switches=_switches(),
    )


def between(start: Reading, end: Reading) -> dict[str, float | int | None]:
    """cpu_per_wall: this process's CPU seconds per second; steal: the share of the machine's time
    that its host took away; pressure: the share of time in which some process waited for a core.
    """
    wall = max(end.wall_seconds - start.wall_seconds, 1e-9)

    def share(a: float | None, b: float | None, of: float) -> float | None:
        return None if a is None or b is None else round((b - a) / of, 4)

    cores = os.cpu_count() or 1
    switches = None
    if start.involuntary_switches is not None and end.involuntary_switches is not None:
        switches = end.involuntary_switches - start.involuntary_switches
    return {
        "cpu_per_wall": share(start.cpu_seconds, end.cpu_seconds, wall),
        "steal": share(start.steal_seconds, end.steal_seconds, wall * cores),
        "pressure": share(start.pressure_seconds, end.pressure_seconds, wall),
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
