"""The frameworks that are known, by their adapters' names: those of the folders of ``backends/``,
and what adapters of other packages declare.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import backends
from backends.framework import Framework

REFERENCE = "numpy"


def _of_folders() -> dict[str, Framework]:
    """The reference first, then in the order of their colours."""
    files = Path(str(backends.__file__)).parent.glob("*/framework.py")
    names = [file.parent.name for file in files]
    found = {name: import_module(f"backends.{name}.framework").FRAMEWORK for name in names}

    def place(name: str) -> tuple[bool, int, str]:
        colour = found[name].colour
        return name != REFERENCE, len(found) if colour is None else colour, name

    return {name: found[name] for name in sorted(found, key=place)}


KNOWN = _of_folders()


def know(adapter: str, declared: Framework) -> None:
    """Take in what an adapter declares, if none of its name has declared anything."""
    KNOWN.setdefault(adapter, declared)


def sets(when: str) -> dict[str, str]:
    """The variables that workers get then, of all frameworks; see backends.framework."""
    return {k: v for each in KNOWN.values() for k, v in each.sets.get(when, {}).items()}


def of_memory(text: str) -> bool:
    """Do these words say that memory ran out? Of exceptions (MemoryError, torch.OutOfMemoryError),
    of C++ and the system, and of each framework.
    """
    usual = (
        "MemoryError|bad_alloc|out of memory|(can't|cannot|could not|unable to|failed to) allocate"
    )
    words = [usual, *(each.out_of_memory for each in KNOWN.values() if each.out_of_memory)]
    return re.search("|".join(words), text, re.IGNORECASE) is not None
