"""Standard output and error as they may be: in an encoding that lacks a sign, full, or closed. What
a command found is told all the same, and its exit code says it.
"""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import sys
from contextlib import suppress
from typing import TextIO
from unicodedata import normalize

from pydantic import BaseModel

from suite.errors import CommandError
from suite.files import DISK_FULL

LOST = (errno.EPIPE, errno.EIO, errno.EBADF, *DISK_FULL)
# fmt: off
PLAIN = {
    "±": "+-", "×": "x", "→": "->", "✓": "yes", "✗": "no", "…": "...", "·": "*", "°": "deg",
    "²": "^2", "³": "^3", "⁹": "^9", "δ": "delta", "µ": "u", "≤": "<=", "≥": ">=",
    "–": "-", "—": "-", "†": "*",
}
# fmt: on


class OutputError(CommandError):
    """Not everything could be told, and why."""


def prepare() -> None:
    """Have both outputs take every text: what their encoding lacks is written in plain signs, and
    names of files that are no text as the bytes they are.
    """
    for number in range(3):  # a closed one would be given to the next file that is opened
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    codecs.register_error("tribench", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="tribench")


def finish() -> None:
    """Have everything written; OutputError if that cannot be."""
    try:
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from None


def lost(error: OSError) -> OutputError:
    """Give up standard output, which would fail again when the interpreter ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OutputError(f"standard output cannot be written: {error.strerror}")


def readable(typed: str) -> str:
    """What was typed, read as UTF-8 whatever the locale; bytes that are none become a sign."""
    return os.fsencode(typed).decode(errors="replace")


def json_of(model: BaseModel) -> str:
    """JSON that every encoding has."""
    return json.dumps(json.loads(model.model_dump_json(by_alias=True)))


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """The sign that cannot be encoded, in others: an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    sign = error.object[error.start]
    if "\udc80" <= sign <= "\udcff":  # a byte of a file's name (PEP 383)
        return bytes([ord(sign) - 0xDC00]), error.start + 1
    ascii_only = normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return PLAIN.get(sign) or ascii_only or "?", error.start + 1
