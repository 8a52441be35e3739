"""The process environment that every worker gets alike, whatever its framework: ``controlled``, or
``stock``, what the user and the system have set.

Measured on a shared 2-core machine: with glibc told to keep its memory, the spread between launches
of identical PyTorch code fell from 11 % to 2.5 % and its step became 22 % faster (page faults).
Where mmap may serve what is over 32 MiB, the most that glibc lets that be, JAX's training step of
cnn-small took its 50 MiB anew from the system, 12,781 page faults, every time or every other in 6
of 25 launches, by chance, and launches scattered by 3.7 % beside TensorFlow; without mmap in none
of 22, by 1.6 to 2.7 % (0.96 of the time, 0.94 to 0.99). What is too large for a thread's arena
(64 MiB) is still taken anew: 250 MiB of transformer-small's step in JAX, a fifth of its time. One
arena (``MALLOC_ARENA_MAX=1``) spares that, but its lock made JAX's tiny tasks 3 to 7 % slower
(3 launches).
"""

from __future__ import annotations

import atexit
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache as once
from hashlib import sha256
from pathlib import Path

import suite
from backends.framework import (
    CACHE,
    GROWING,
    ON_CPU,
    OWN_CACHE,
    PREALLOCATED,
    THREADS,
    UNTOLD,
    UNTUNED,
)
from suite.machine import control_group
from suite.records.personal import without_paths
from suite.worker.frameworks import KNOWN, sets
from suite.worker.variables import are_flags, changes, is_read, numbers

NEVER = ("PYTHONPATH", "PYTHONHOME")  # the interpreter's own, not another one's
# Which it sets in its own process when it is imported (sklearn/__init__.py, 1.9).
SCIKIT_LEARN = {"KMP_DUPLICATE_LIB_OK": "True", "KMP_INIT_AT_FORK": "FALSE"}
PACKAGES = ("tasks", "backends", "suite")
CONTROLLED, STOCK = "controlled", "stock"
ENVIRONMENTS = (CONTROLLED, STOCK)


def threads() -> int:
    """How many cores this process may use; every framework gets as many threads. Of a control
    group's quota whole cores: with more threads than it allows all are stopped within a block.
    """
    affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, int(quota)))


@once
def cpu_quota() -> float | None:
    """Read once: plans ask for the threads again and again."""
    return control_group.cpus()


def first_gpu() -> str:
    """The number or name of the one GPU that is used, as CUDA_VISIBLE_DEVICES has it."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip() or "0"


def settings(
    device: str, share: int = 1, kind: str = CONTROLLED, preallocated: bool = False
) -> dict[str, str]:
    """The variables that are set, and recorded with every result; of ``stock`` those that are known
    to change speed or numbers and were set by the user. ``share`` workers at a time divide the
    threads, of stock too: PyTorch's cnn-tiny training beside another took 10 and 44 s with all of
    them, 6 s with half (single runs). What else the user has set they have as well, so that parity
    is asked of what is timed. On a GPU frameworks take their part of the memory at once if
    ``preallocated``.
    """
    devices, room = {"CUDA_VISIBLE_DEVICES": ""} | sets(ON_CPU), dict[str, str]()
    if device == "cuda":  # the same for all: the first that is visible, in the order of the bus
        devices = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": first_gpu()}
        room = sets(PREALLOCATED if preallocated else GROWING)
    each = str(max(1, threads() // share))
    counts = [name for framework in KNOWN.values() for name in framework.threads]
    divided = dict.fromkeys(["OMP_NUM_THREADS", *counts], each)
    if kind == STOCK:
        what = changes()
        kept = {k: v for k, v in _users().items() if k in what and not _is_of_a_cache(k)}
        if share > 1:
            kept = {k: v for k, v in kept.items() if what[k] != THREADS} | divided
        return room | kept | devices
    controlled = divided | {
        "PYTHONHASHSEED": "0",
        "MALLOC_MMAP_MAX_": "0",  # mallopt(3); a threshold may be 32 MiB at most
        "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
        "MALLOC_TOP_PAD_": str(64 << 20),
    }
    return devices | room | controlled


def _users() -> dict[str, str]:
    """What stood in the environment before the coordinator imported anything."""
    return {k: v for k, v in os.environ.items() if SCIKIT_LEARN.get(k) != v}


def _is_of_a_cache(name: str) -> bool:
    """Does tribench set it for workers that keep what they compile, or that start cold?"""
    return name in (sets(CACHE) | sets(OWN_CACHE)) and not are_flags(name)


def disclosed(device: str, kind: str) -> dict[str, str]:
    """The settings as they are published: without the folders of what they name."""
    chosen = settings(device, kind=kind, preallocated=True)
    if device == "cuda" and not chosen["CUDA_VISIBLE_DEVICES"].isdigit():
        chosen["CUDA_VISIBLE_DEVICES"] = "by name"  # which is its serial number
    return {"environment": kind} | {k: _without_folders(k, v) for k, v in chosen.items()}


def less_precise(device: str, share: int, kind: str) -> str:
    """The variables of a worker that may make its numbers less precise, as NAME=VALUE."""
    found = numbers(settings(device, share, kind), device)
    return ", ".join(f"{name}={_without_folders(name, value)}" for name, value in found.items())


def _without_folders(name: str, value: str) -> str:
    value = _flags(value) if are_flags(name) else value
    # From where a name begins alone: from each of its signs, 16,000 of them took for ever.
    return re.sub(r"(?<![^\s:,=])[^\s:,=]*/", "", without_paths(value))


def _flags(value: str) -> str:
    """Those of a file, where the value is its name, as XLA takes it."""
    if value and not value.lstrip().startswith("-"):
        with suppress(OSError, ValueError):
            inside = " ".join(Path(value).read_text().split())
            return inside if inside.startswith("-") else value
    return value


def shared_cache(name: str, device: str) -> dict[str, str]:
    """Has frameworks keep what they compiled from one run to the next, where they do not by
    themselves; not where compiling is timed. ``name`` tells frameworks and their versions apart;
    code for another processor would not run.
    """
    folder = _kept(f"{name}-{_processor()}")
    kept = {} if folder is None else _in_folder(sets(CACHE), folder)
    return kept | (sets(UNTUNED) if device == "cuda" else {})


def _kept(name: str) -> Path | None:
    """The user's folder for what is kept from one run to the next. None, said once, where there is
    none that can be written: a user may have no home, and a home may be read-only.
    """
    import pooch  # workers have none

    why = "there is no home folder"
    with suppress(RuntimeError, OSError):
        caches = Path(pooch.os_cache("tribench"))
        if caches.is_absolute():  # older platformdirs keep the "~" that nothing tells more of
            why = f"{caches} cannot be written"
            (caches / name).mkdir(parents=True, exist_ok=True)
            if os.access(caches / name, os.W_OK | os.X_OK):
                return caches / name
    _tell_once(
        f"nothing that is compiled is kept for the next time, since {why}; XDG_CACHE_HOME can name "
        "another folder"
    )
    return None


@once
def _tell_once(line: str) -> None:
    print(f"tribench: {line}", file=sys.stderr)


def own_cache(folder: Path) -> dict[str, str]:
    """Has all frameworks keep what they compile in this folder, and find there what is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return _in_folder(sets(CACHE) | sets(OWN_CACHE), folder)


def _in_folder(variables: Mapping[str, str], folder: Path) -> dict[str, str]:
    quoted = re.sub(r'(["\\])', r"\\\1", str(folder))
    return {k: v.format(folder=folder, quoted=quoted) for k, v in variables.items()}


def _processor() -> str:
    """A short name for what the processor can do."""
    try:
        told = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
        flags = next(line for line in told.splitlines() if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        flags = platform.processor()
    return sha256(f"{platform.machine()} {flags}".encode()).hexdigest()[:8]


def environment(
    device: str,
    share: int = 1,
    cache: Mapping[str, str] | None = None,
    kind: str = CONTROLLED,
    preallocated: bool = False,
) -> dict[str, str]:
    """The whole environment: what is inherited, less what a framework may read unless that is
    ``stock``, plus ``settings`` and ``cache``, one of the above, whose flags come after the user's.
    """
    what = changes()
    unknown = {k: v for k, v in _users().items() if k not in what and k not in NEVER}
    inherited = {k: v for k, v in unknown.items() if kind == STOCK or not is_read(k)}
    paths = [str(root()), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(p for p in paths if p)
    untold = {"PYTHONUNBUFFERED": "1"} | sets(UNTOLD)
    chosen = settings(device, share, kind, preallocated)
    for name, value in (cache or {}).items():
        theirs = _flags(chosen.get(name, "")) if are_flags(name) else ""
        chosen[name] = f"{theirs} {value}".strip()
    return inherited | untold | chosen | {"PYTHONPATH": path}


@once
def root() -> Path:
    """A folder that holds tasks/, backends/ and suite/ and no framework.

    A checkout will do; installed packages are linked into a folder of their own, because their
    site-packages would give the worker the coordinator's libraries.
    """
    here = Path(suite.__file__).resolve().parents[1]
    if "site-packages" not in here.parts and "dist-packages" not in here.parts:
        return here
    links = Path(tempfile.mkdtemp(prefix="tribench-"))
    atexit.register(shutil.rmtree, links, ignore_errors=True)
    for package in PACKAGES:
        (links / package).symlink_to(here / package)
    return links
