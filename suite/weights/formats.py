"""Which reader and writer a file's name asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suite.engine.arrays import Arrays
from suite.plan.options import UsageError
from suite.weights import foreign, npz, safetensors
from suite.weights.contents import Contents
from suite.worker.frameworks import KNOWN

Pythons = Mapping[str, str]  # as ``--python`` has them


@dataclass(frozen=True)
class Format:
    """How a kind of file is read, and made, where it can be."""

    read: Callable[[Path, Pythons], Contents]
    encoded: Callable[[Arrays, Pythons], bytes] | None = None


def _foreign(framework: str, end: str, written: bool) -> Format:
    read = partial(foreign.read, framework=framework)
    write = partial(foreign.encoded, end=end, framework=framework)
    return Format(
        lambda path, pythons: read(path, pythons=pythons),
        (lambda arrays, pythons: write(arrays, pythons=pythons)) if written else None,
    )


FORMATS = {  # by how names end, longer ends first
    safetensors.INDEX: Format(lambda path, _: safetensors.read_parts(path)),
    safetensors.END: Format(
        lambda path, _: safetensors.read(path), lambda arrays, _: safetensors.encoded(arrays)
    ),
    ".npz": Format(lambda path, _: npz.read(path), lambda arrays, _: npz.encoded(arrays)),
} | {
    end: _foreign(name, end, written)
    for name, each in KNOWN.items()
    for end, written in each.weights.items()
}


def format_of(path: Path, written: bool = False) -> Format:
    """Of a file that is read, or ``written``; UsageError where there is none."""
    own = next((end for end in FORMATS if path.name.endswith(end)), None)
    if own is not None and (FORMATS[own].encoded or not written):
        return FORMATS[own]
    ends = ", ".join(end for end, each in FORMATS.items() if each.encoded or not written)
    but = f", and not {own}" if own else ""
    raise UsageError(f"{path}: the name must end in one of {ends}{but}")
