"""The machine and the software that a run's numbers belong to; nothing personal."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import cpuinfo
import numpy as np
import psutil

from suite.machine import control_group, idle
from suite.records.schema import Environment
from suite.worker import environment
from suite.worker.adapters import installed
from suite.worker.environment import CONTROLLED
from suite.worker.installations import Installation

QUOTA = "cpu_quota_cores"  # among the settings


def version() -> str:
    """tribench's own version; that of the checkout's pyproject.toml if it is not installed."""
    for found in installed():
        if found.name == "tribench":
            return found.version
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def fingerprint(
    installations: Sequence[Installation], device: str, kind: str = CONTROLLED
) -> Environment:
    """What is known before the first worker starts."""
    quota = environment.cpu_quota()  # how many cores' time the process gets, if that is limited
    limits = {} if quota is None else {QUOTA: f"{quota:g}"}
    return Environment(
        cpu=str(cpuinfo.get_cpu_info().get("brand_raw", platform.processor() or "unknown")),
        cores=os.cpu_count() or 1,
        threads=environment.threads(),
        memory_bytes=control_group.memory_bytes(psutil.virtual_memory().total),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        container=Path("/.dockerenv").exists() or Path("/run/.containerenv").exists(),
        gpus=gpus(),
        physical_cores=psutil.cpu_count(logical=False),
        driver=driver(),
        allocator=" ".join(platform.libc_ver()).strip() or None,
        settings=environment.disclosed(device, kind) | idle.disclosed() | limits,
        coordinator={
            "python": platform.python_version(),
            "tribench": version(),
            "numpy": np.__version__,
        },
        backends=versions(installations),
    )


def versions(installations: Sequence[Installation]) -> dict[str, dict[str, str]]:
    """What each backend that is there runs on."""
    return {
        installation.name: dict(installation.adapter.versions)
        for installation in installations
        if installation.why is None
    }


def gpus() -> list[str]:
    """The NVIDIA devices and their driver; empty if there are none that can be asked."""
    import pynvml

    if (version := driver()) is None:
        return []
    handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
    return [f"{pynvml.nvmlDeviceGetName(handle)}, driver {version}" for handle in handles]


def driver() -> str | None:
    """The version of NVIDIA's driver; None if there is none that can be asked."""
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
