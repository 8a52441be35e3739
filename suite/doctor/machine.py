"""What is read of the machine: in a second in which tribench does nothing itself, and then while
every core has the same little to do again and again.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from suite.machine import control_group, cores, idle, noise
from suite.machine.kernel import number, text
from suite.worker.environment import NEVER, threads
from suite.worker.variables import changes, is_read

SECONDS = 1.0
CORES_SECONDS = 10.0  # stretches in which they were slow took 2 to 10
APART_SECONDS = 0.05
CLOCK_TIMES = 2000  # that the clock is read, in pairs
CPU = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """None where the system does not tell. Shares are of 1: ``busy`` of all cores, by processes
    other than this one, ``busiest`` the greatest of them in cores, by name; ``quota_cores`` is the
    control group's limit, and of memory as much as that allows.
    """

    cores: int
    threads: int
    quota_cores: float | None = None
    throttled_seconds: float | None = None  # of the control group, within the second
    governor: str | None = None
    turbo: bool | None = None
    busy: float = 0.0
    busiest: dict[str, float] = field(default_factory=dict)
    load: float | None = None  # mean number of runnable processes in the last minute
    pressure: float | None = None
    steal: float | None = None
    slow_cores: float | None = None  # the share of looks at which they were slower than usual
    halt_poll_nanoseconds: int | None = None  # for which an idle core of a guest stays awake
    memory_bytes: int = 0
    available_bytes: int = 0
    swapped_bytes: int = 0
    container: bool = False
    virtual: bool | None = None
    huge_pages: str | None = None
    clock: str | None = None
    clock_seconds: float = 0.0  # of one reading
    throttle_count: int | None = None  # by heat, since the start
    celsius: float | None = None
    dropped: tuple[str, ...] = ()  # variables that are known
    dropped_others: int = 0  # which may be secrets, and are not named


def read() -> Machine:
    """Look for ``SECONDS``, and at the cores for ``CORES_SECONDS``."""
    processes = _cpu_seconds()
    before, throttled = noise.read(), control_group.throttled_seconds()
    psutil.cpu_percent()
    time.sleep(SECONDS)
    total = psutil.cpu_percent() / 100
    seen = noise.between(before, noise.read())
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    known = changes()
    dropped = [name for name in os.environ if is_read(name) and name not in NEVER]
    after = control_group.throttled_seconds()
    return Machine(
        cores=os.cpu_count() or 1,
        threads=threads(),
        quota_cores=control_group.cpus(),
        throttled_seconds=None if throttled is None or after is None else after - throttled,
        governor=text(CPU / "cpu0/cpufreq/scaling_governor"),
        turbo=_turbo(),
        busy=total,
        busiest=_busiest(processes, _cpu_seconds()),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        pressure=seen["pressure"],
        steal=seen["steal"],
        slow_cores=_slow_cores(),
        halt_poll_nanoseconds=idle.told(),
        memory_bytes=control_group.memory_bytes(memory.total),
        available_bytes=control_group.available_bytes(memory.available),
        swapped_bytes=swap.used,
        container=Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
        virtual=_virtual(),
        huge_pages=_chosen(text(Path("/sys/kernel/mm/transparent_hugepage/enabled"))),
        clock=text(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")),
        clock_seconds=_clock_seconds(),
        throttle_count=number(CPU / "cpu0/thermal_throttle/core_throttle_count"),
        celsius=_celsius(),
        dropped=tuple(sorted(name for name in dropped if name in known)),
        dropped_others=sum(name not in known for name in dropped),
    )


def _slow_cores() -> float | None:
    """None where it cannot be told."""
    looks, end = list[float](), time.perf_counter() + CORES_SECONDS
    while time.perf_counter() < end:
        if (work := cores.known_work()) is None:
            return None
        looks.append(work)
        time.sleep(APART_SECONDS)
    return statistics.mean(cores.slow([work], looks) for work in looks)


def _turbo() -> bool | None:
    """Intel's driver says whether it is off, the others whether it is on."""
    off = number(CPU / "intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    on = number(CPU / "cpufreq/boost")
    return None if on is None else on == 1


def _virtual() -> bool | None:
    lines = (text(Path("/proc/cpuinfo")) or "").splitlines()
    flags = next((line for line in lines if line.startswith("flags")), None)
    return None if flags is None else "hypervisor" in flags.split()


def _chosen(told: str | None) -> str | None:
    """``madvise`` of ``always [madvise] never``."""
    return told.partition("[")[2].partition("]")[0] or None if told else None


def _celsius() -> float | None:
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    found = [one.current for many in psutil.sensors_temperatures().values() for one in many]
    return max(found, default=None)


def _clock_seconds() -> float:
    """A median of readings in pairs."""
    apart = [-(time.perf_counter() - time.perf_counter()) for _ in range(CLOCK_TIMES)]
    return statistics.median(apart)


def _cpu_seconds() -> dict[tuple[int, str], float]:
    """Of every process but this one that can be asked."""
    found = {}
    for process in psutil.process_iter(["name", "cpu_times"]):
        used = process.info["cpu_times"]
        if used is not None and process.pid != os.getpid():
            found[process.pid, str(process.info["name"])] = used.user + used.system
    return found


def _busiest(
    before: dict[tuple[int, str], float], after: dict[tuple[int, str], float]
) -> dict[str, float]:
    """Cores by name, the three that use most."""
    used: dict[str, float] = {}
    for key, seconds in after.items():
        share = (seconds - before.get(key, seconds)) / SECONDS
        used[key[1]] = used.get(key[1], 0.0) + share
    most = sorted(used.items(), key=lambda item: -item[1])[:3]
    return {name: cores for name, cores in most if cores >= 0.01}
