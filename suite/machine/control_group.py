"""What the control groups that this process runs in allow it, of versions 1 and 2 (cgroups(7)).

Limits of groups around its own hold as well, up to the mount point: the least counts. In a
container the mount may begin at the container's group, while /proc tells the path from the host's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from suite.machine.kernel import number, text

ROOT = Path("/")
NO_LIMIT = 1 << 60  # bytes; version 1 has a number near 2**63 for it


def cpus() -> float | None:
    """How many cores' time its threads get in all; None if that is not limited."""
    found = list[float]()
    for group in _groups("cpu"):
        allowed, _, period = (text(group / "cpu.max") or "").partition(" ")
        if not allowed:
            allowed = text(group / "cpu.cfs_quota_us") or ""  # -1: no limit
            period = text(group / "cpu.cfs_period_us") or ""
        if allowed.isdigit() and period.isdigit() and int(period):
            found.append(int(allowed) / int(period))
    return min(found, default=None)


def memory_bytes(total: int) -> int:
    """How much of the machine's memory it may take."""
    return min([total, *(limit for _, limit in _limited())])


def available_bytes(free: int) -> int:
    """How much it may still take of what is free. Files that were read but not lately can go."""
    left = [free]
    for group, limit in _limited():
        used = number(group / "memory.current", group / "memory.usage_in_bytes") or 0
        stat = _stat(group / "memory.stat")
        files = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        left.append(max(0, limit - max(0, used - files)))
    return min(left)


def throttled_seconds() -> float | None:
    """For how long it wanted to run and might not, since it began; None where that is not told."""
    found = list[float]()
    for group in _groups("cpu"):
        stat = _stat(group / "cpu.stat")
        if "throttled_usec" in stat:
            found.append(stat["throttled_usec"] / 1e6)
        elif "throttled_time" in stat:
            found.append(stat["throttled_time"] / 1e9)
    return max(found, default=None)


def _limited() -> Iterator[tuple[Path, int]]:
    for group in _groups("memory"):
        limit = number(group / "memory.max", group / "memory.limit_in_bytes")
        if limit is not None and limit < NO_LIMIT:
            yield group, limit


def _groups(controller: str) -> Iterator[Path]:
    """The folders of its group for this controller and of all around it, in both versions."""
    paths = dict[bool, str]()  # by whether it is version 2
    for line in (text(ROOT / "proc/self/cgroup") or "").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if (hierarchy == "0" and not controllers) or controller in controllers.split(","):
            paths[not controllers] = path
    for line in (text(ROOT / "proc/self/mountinfo") or "").splitlines():
        mount, _, kind = line.partition(" - ")
        fields, of = mount.split(), kind.split()
        if len(fields) < 5 or not of or of[0] not in ("cgroup", "cgroup2"):
            continue
        second = of[0] == "cgroup2"
        if second in paths and (second or controller in of[-1].split(",")):
            start, point = map(_unescaped, fields[3:5])
            top = ROOT / point.lstrip("/")
            inner = _inside(paths[second], start)
            yield from (top / part for part in (inner, *inner.parents))


def _inside(path: str, start: str) -> PurePosixPath:
    """The path from where the mount starts; the start itself if it is outside."""
    try:
        inner = PurePosixPath(path).relative_to(start)
    except ValueError:
        return PurePosixPath()
    return PurePosixPath() if ".." in inner.parts else inner


def _unescaped(field: str) -> str:
    """Spaces and the like stand as octal numbers (proc_pid_mountinfo(5))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _stat(path: Path) -> dict[str, int]:
    pairs = [line.split() for line in (text(path) or "").splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
