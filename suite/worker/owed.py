"""What an adapter's class must have before it can be asked anything."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from backends.base import EXECUTIONS, PRECISIONS, Backend
from backends.framework import Framework

WORDS = {"name": "a string", "framework": "the name of the package that computes, a string"}
CHOICES = {"precisions": PRECISIONS, "executions": EXECUTIONS}


def fault(kind: Any, device: str) -> str | None:
    """What is wrong with an adapter's class, in a sentence; None if it can be used."""
    if not isinstance(kind, type) or not issubclass(kind, Backend):
        named = getattr(kind, "__name__", type(kind).__name__)
        return f"{named} is no subclass of backends.base.Backend"
    for part, words in WORDS.items():
        found = getattr(kind, part, None)
        if not found or not isinstance(found, str):
            return f"{kind.__name__}.{part} (={found!r}) must be {words}"
    for part, known in CHOICES.items():
        found = getattr(kind, part, None)
        if not found or not _are(found, known):
            return f"{kind.__name__}.{part} (={found!r}) must be a tuple of {_any_of(known)}"
    if not isinstance(declared := kind.declares, Framework | None):
        return f"{kind.__name__}.declares (={declared!r}) must be a backends.framework.Framework"
    offered = kind.offered(device)
    if not _are(offered, PRECISIONS):
        return f"{kind.__name__}.offered({device!r}) (={offered!r}) must give {_any_of(PRECISIONS)}"
    if kind.build is Backend.build:
        return f"{kind.__name__} has no build(task, parameters), which gives a Program"
    if "bfloat16" in offered and kind.cast is Backend.cast and kind.compute is Backend.compute:
        return f"{kind.__name__} has bfloat16 among its precisions and no cast(array, precision)"
    return None


def _are(found: Any, known: Collection[str]) -> bool:
    return isinstance(found, tuple | list) and all(each in known for each in found)


def _any_of(known: Collection[str]) -> str:
    return f"any of {', '.join(known)}"
