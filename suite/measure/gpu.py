"""What an NVIDIA GPU did while a block ran, as NVML tells it. Read by the coordinator, before and
after: workers need no NVML, and a reading between two blocks costs neither of them.

Everything is of the device, not of a process: within a container NVML knows processes only by the
host's numbers, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import pynvml

from suite.worker.environment import first_gpu

T = TypeVar("T")

# Why the clocks are lower than they might be (NVML API reference, nvmlClocksEventReasons). Idling,
# chosen clocks and the power cap are how a device always works; the others come and go.
PASSING = {
    "hardware slowdown": pynvml.nvmlClocksEventReasonHwSlowdown,
    "too hot": pynvml.nvmlClocksEventReasonSwThermalSlowdown
    | pynvml.nvmlClocksEventReasonHwThermalSlowdown,
    "power brake": pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown,
}
LASTING = {
    "power cap": pynvml.nvmlClocksEventReasonSwPowerCap,
    "chosen clocks": pynvml.nvmlClocksEventReasonApplicationsClocksSetting,
}


@dataclass(frozen=True, kw_only=True)
class Reading:
    """At one moment; None where the device does not tell. ``joules`` counts from the driver's
    start, ``processes`` those that compute on the device, ours among them.
    """

    sm_mhz: int | None
    memory_mhz: int | None
    celsius: int | None
    watts: float | None
    joules: float | None
    reasons: int | None
    processes: int | None


def read(device: str) -> Reading | None:
    """Of the device that all workers use; None on the CPU, or without NVML."""
    handle = _handle() if device == "cuda" else None
    if handle is None:
        return None
    watts = _told(pynvml.nvmlDeviceGetPowerUsage, handle)
    joules = _told(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    processes = _told(pynvml.nvmlDeviceGetComputeRunningProcesses, handle)
    return Reading(
        sm_mhz=_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        memory_mhz=_told(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        celsius=_told(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        watts=None if watts is None else watts / 1e3,
        joules=None if joules is None else joules / 1e3,
        reasons=_told(pynvml.nvmlDeviceGetCurrentClocksEventReasons, handle),
        processes=None if processes is None else len(processes),
    )


def used(device: str) -> int | None:
    """Bytes of the device that are not free now, whoever has them."""
    handle = _handle() if device == "cuda" else None
    told = None if handle is None else _told(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return None if told is None else int(told.used)


def between(start: Reading | None, end: Reading | None, ours: int) -> dict[str, Any] | None:
    """As suite.records.schema.GpuNoise: clocks, temperature and power at the end, the reasons of
    either moment, and how many processes there were beside ``ours``.
    """
    if start is None or end is None:
        return None
    reasons = (start.reasons or 0) | (end.reasons or 0)
    seen = [each for each in (start.processes, end.processes) if each is not None]
    others = max(seen) - ours if seen and max(seen) >= ours else None  # some containers hide ours
    return {
        "sm_mhz": end.sm_mhz,
        "memory_mhz": end.memory_mhz,
        "celsius": end.celsius,
        "watts": end.watts,
        "throttled": [name for name, bits in (PASSING | LASTING).items() if reasons & bits],
        "others": others,
    }


def disturbed(seen: dict[str, Any] | None) -> bool:
    """Was the device slowed for a while, or did others compute on it?"""
    return seen is not None and bool(PASSING.keys() & set(seen["throttled"]) or seen["others"])


def joules(start: Reading | None, end: Reading | None) -> float | None:
    """What the whole device took meanwhile, idling included."""
    if start is None or end is None or start.joules is None or end.joules is None:
        return None
    return end.joules - start.joules


@cache
def _handle() -> Any:
    """The device that all workers use; NVML too counts in the order of the bus. None if there is
    none that can be asked.
    """
    first = first_gpu()
    try:
        pynvml.nvmlInit()
        if first.isdigit():
            return pynvml.nvmlDeviceGetHandleByIndex(int(first))
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    except pynvml.NVMLError:
        return None


def _told(ask: Callable[..., T], *given: Any) -> T | None:
    """None where the device does not tell: a slice of one (MIG) knows no clocks."""
    try:
        return ask(*given)
    except pynvml.NVMLError:
        return None
