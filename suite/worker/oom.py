"""Was a process ended for want of memory? The system kills it, and nothing stands in its log."""

from __future__ import annotations

from pathlib import Path

GROUPS = Path("/proc/self/cgroup")  # lines of "number:controllers:/path" (cgroups(7))
MOUNTED = Path("/sys/fs/cgroup")
EVERYWHERE = Path("/proc/vmstat")


def kills() -> int:
    """How often that happened in this process's control group and those below it, of either
    version; on the whole machine where the group does not tell. 0 where nothing tells.
    """
    for path in (*_of_group(), EVERYWHERE):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, number = line.partition(" ")
            if name == "oom_kill" and number.isdecimal():
                return int(number)
    return 0


def _of_group() -> list[Path]:
    """Where it may stand, the most telling first: a container that has no view of its own of the
    groups sees its own as the root.
    """
    found = []
    try:
        lines = GROUPS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if "memory" in controllers.split(","):
            mounted, file = MOUNTED / "memory", "memory.oom_control"
        elif not controllers:
            mounted, file = MOUNTED, "memory.events"
        else:
            continue
        found += [mounted / group.lstrip("/") / file, mounted / file]
    return found
