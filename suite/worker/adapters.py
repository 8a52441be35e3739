"""Which adapters this interpreter can load: ours, and those that installed packages announce under
the entry point group ``tribench.backends``.
"""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from importlib import metadata
from typing import Any

import numpy as np

from backends.base import Backend
from suite.worker.abilities import Answer, abilities

GROUP = "tribench.backends"
OURS = {name: f"backends.{name}:Backend" for name in ("numpy", "torch", "jax", "tensorflow")}
REFERENCE = "numpy"
UNASKED = "not asked for"
COMPANIONS = {"torch": ("triton",), "jax": ("jaxlib", "jax-cuda"), "tensorflow": ("keras",)}
LIBRARIES = ("nvidia-cublas", "nvidia-cudnn")  # whose names end in CUDA's version


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapter:
    """One adapter as seen from one interpreter. ``why`` tells why it does not load there;
    ``answers`` has one for each task that was asked about, by execution.
    """

    name: str
    target: str
    why: str | None = None
    framework: str = ""
    precisions: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)


def targets() -> dict[str, str]:
    """Every announced adapter, {name: "module:Class"}; ours cannot be replaced."""
    return OURS | {name: found for name, found in announced(GROUP).items() if name not in OURS}


def announced(group: str) -> dict[str, str]:
    """The entry points of a group, {name: value}; of two of a name the first on the path. Asked of
    each package, since ``metadata.entry_points`` ends with a TypeError where a removed one left a
    folder without a name.
    """
    found: dict[str, str] = {}
    for each in metadata.distributions():
        for point in each.entry_points:
            if point.group == group:
                found.setdefault(point.name, point.value)
    return found


def installed() -> list[metadata.Distribution]:
    """Every package with a name and a version, which what a removed one left has not; of two of a
    name the first on the path, which is imported.
    """
    found: dict[str, metadata.Distribution] = {}
    for each in metadata.distributions():
        # Python answers None for what is missing, and will raise.
        with suppress(KeyError, TypeError, metadata.PackageNotFoundError):
            if each.name and each.version:
                found.setdefault(each.name.lower().replace("_", "-"), each)
    return list(found.values())


def load(name: str) -> type[Backend]:
    """The adapter's class, by its name or, if it is announced nowhere, by its "module:Class";
    KeyError, ImportError or AttributeError if there is none.
    """
    target = name if ":" in name else targets()[name]
    module, _, attribute = target.partition(":")
    loaded: type[Backend] = getattr(importlib.import_module(module), attribute)
    return loaded


def survey(
    device: str = "cpu", tasks: Sequence[Any] = (), wanted: Sequence[str] = ("*",)
) -> list[dict[str, object]]:
    """Try to load every adapter whose name a pattern of ``wanted`` matches, and ask it about the
    encoded tasks; a broken one is an answer, and the rest go on.
    """
    return [
        asdict(
            _inspect(name, target, device, tasks)
            if any(fnmatchcase(name, pattern) for pattern in wanted)
            else Adapter(name=name, target=target, why=UNASKED)
        )
        for name, target in targets().items()
    ]


def _inspect(name: str, target: str, device: str, tasks: Sequence[Any]) -> Adapter:
    try:
        backend = load(name)
    except Exception as error:
        return Adapter(name=name, target=target, why=f"{type(error).__name__}: {error}")
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    framework = backend.framework
    if framework in sys.modules:
        versions[framework] = str(getattr(sys.modules[framework], "__version__", "unknown"))
    versions |= _companions(framework)
    return Adapter(
        name=name,
        target=target,
        framework=framework,
        precisions=backend.offered(device),
        executions=backend.executions,
        versions=versions,
        answers=abilities(backend, device, tasks) if tasks else {},
    )


def _companions(framework: str) -> dict[str, str]:
    """The versions of what is installed beside a framework and computes for it."""
    if (names := COMPANIONS.get(framework)) is None:
        return {}
    return {
        found.name: found.version
        for found in installed()
        if found.name.startswith((*names, *LIBRARIES))
    }
