"""What went wrong in an operation, in the words of an answer: a kind and a sentence, in which
nothing private stands.

Kinds are NotSupported; WriteError where a disk is full, which is no fault of the backend;
"out of memory"; and the exception's name for everything else.
"""

from __future__ import annotations

from backends.base import NotSupported
from suite.files import DISK_FULL
from suite.worker.frameworks import of_memory
from suite.worker.private import without_private

MOST_SIGNS = 500  # of a sentence


def sentence(error: BaseException) -> str:
    """One line: the kind and what tells more."""
    return ": ".join(described(error))


def described(error: BaseException) -> tuple[str, str]:
    """The kind, and a line that tells more."""
    name, whole = without_private(type(error).__name__), without_private(_text(error))
    lines = whole.splitlines() or ["no message"]
    telling = next(filter(of_memory, lines), lines[0])
    text = telling[:MOST_SIGNS].encode(errors="replace").decode()  # no lone surrogates
    if isinstance(error, NotSupported):
        return "NotSupported", text
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return "WriteError", text
    if of_memory(f"{name}: {whole}"):
        return "out of memory", f"{name}: {text}"
    return name, text


def _text(error: BaseException) -> str:
    try:
        return str(error).strip()
    except Exception:  # of somebody else's class
        return ""
