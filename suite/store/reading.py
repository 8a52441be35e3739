"""Reading what a run directory holds, which somebody else may have made."""

from __future__ import annotations

import errno
from pathlib import Path


def contents(path: Path) -> bytes:
    """The bytes of a file; OSError where it is none, since reading a pipe may never end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return path.read_bytes()
