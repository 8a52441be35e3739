"""What readers of checkpoints share: how much a file may unpack to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

# Zeros pack to a thousandth, normally distributed float32 values to 0.93; some files repeat arrays.
MOST_TIMES, LEAST_BYTES = 100, 1 << 20


@dataclass
class Room:
    """What is left of the bytes that a file's arrays may take: a hundred times its size."""

    left_bytes: int

    @classmethod
    def of(cls, path: str | Path) -> Room:
        """A file's, before anything is read."""
        return cls(LEAST_BYTES + MOST_TIMES * Path(path).stat().st_size)

    def take(self, name: str, size_bytes: int) -> None:
        """Before an array is read; ValueError where there is no room for it."""
        self.left_bytes -= size_bytes
        if size_bytes < 0 or self.left_bytes < 0:
            raise ValueError(f"{name!r} unpacks to more than {MOST_TIMES} times the file's size")
