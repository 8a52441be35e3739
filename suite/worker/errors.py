"""What went wrong in an operation, in the words of an answer: a kind and a sentence.

Kinds are NotSupported; WriteError where a disk is full, which is no fault of the backend;
"out of memory"; and the exception's name for everything else.
"""

from __future__ import annotations

import re

from backends.base import NotSupported
from suite.files import DISK_FULL

MOST_SIGNS = 500  # of a sentence

# How the frameworks say it, without importing them: MemoryError, torch.OutOfMemoryError,
# tf.errors.ResourceExhaustedError (OOM when allocating), and by text XLA's JaxRuntimeError
# (RESOURCE_EXHAUSTED), PyTorch's RuntimeError on the CPU (DefaultCPUAllocator: can't allocate
# memory, not enough memory) and what C++ and the system say.
OUT_OF_MEMORY = re.compile(
    r"MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|bad_alloc"
    r"|OOM when allocating|not enough memory|out of memory"
    r"|(can't|cannot|could not|unable to|failed to) allocate",
    re.IGNORECASE,
)


def sentence(error: BaseException) -> str:
    """One line: the kind and what tells more."""
    return ": ".join(described(error))


def described(error: BaseException) -> tuple[str, str]:
    """The kind, and a line that tells more."""
    name, whole = type(error).__name__, _text(error)
    lines = whole.splitlines() or ["no message"]
    memory = OUT_OF_MEMORY.search(f"{name}: {whole}")
    telling = next(filter(OUT_OF_MEMORY.search, lines), lines[0])
    text = telling[:MOST_SIGNS].encode(errors="replace").decode()  # no lone surrogates
    if isinstance(error, NotSupported):
        return "NotSupported", text
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return "WriteError", text
    if memory:
        return "out of memory", f"{name}: {text}"
    return name, text


def _text(error: BaseException) -> str:
    try:
        return str(error).strip()
    except Exception:  # of somebody else's class
        return ""
