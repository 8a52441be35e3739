"""What ends a command, and with which exit code."""

from __future__ import annotations

from typing import ClassVar

FAILED, USAGE, INTERRUPTED = 1, 2, 130


class CommandError(Exception):
    """One sentence for the user: what is wrong, where, what is allowed."""

    exit_code: ClassVar[int] = USAGE
