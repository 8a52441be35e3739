"""Files in which the kernel tells something. Standard library only: runs in the worker."""

from __future__ import annotations

from pathlib import Path


def text(path: Path) -> str | None:
    """What stands in it; None where there is none that can be read."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return None


def number(*paths: Path) -> int | None:
    """Of the first that has one; control groups of version 2 say "max" where there is no limit."""
    texts = (text(path) or "" for path in paths)
    return next((int(told) for told in texts if told.isdigit()), None)
