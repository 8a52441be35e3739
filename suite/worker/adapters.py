"""Which adapters this interpreter can load: ours, and those that installed packages announce under
the entry point group ``tribench.backends``.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from importlib import metadata
from typing import Any

import numpy as np

from backends.base import Backend
from backends.framework import Framework
from suite.worker.abilities import Answer, abilities
from suite.worker.errors import sentence
from suite.worker.frameworks import KNOWN, know
from suite.worker.owed import fault
from suite.worker.private import without_private

GROUP = "tribench.backends"
OURS = {name: f"backends.{name}:Backend" for name in KNOWN}
UNASKED = "not asked for"
NAME = re.compile(r"\w[\w.-]*")  # which becomes a part of file names; what follows @ is a label
LIBRARIES = ("nvidia-cublas", "nvidia-cudnn")  # whose names end in CUDA's version


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapter:
    """One adapter as seen from one interpreter. ``why`` tells why it does not load there;
    ``answers`` has one for each task that was asked about, by execution; ``declared`` is what its
    class declares of its framework, if anything.
    """

    name: str
    target: str
    why: str | None = None
    framework: str = ""
    precisions: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    declared: dict[str, Any] | None = None


def targets() -> dict[str, str]:
    """Every adapter, {name: "module:Class"}. A name has one; ours cannot be replaced."""
    found = dict(OURS)
    for point in announced(GROUP):
        if NAME.fullmatch(point.name):
            found.setdefault(point.name, point.value)
    return found


def refused() -> list[Adapter]:
    """What is announced under a name that it cannot have, as ``NAME (module:Class)``, and why."""
    found, kept = [], targets()
    for point in announced(GROUP):
        if not NAME.fullmatch(point.name):
            why = "its name must begin with a letter, digit or _, and may go on with these, . and -"
        elif point.value != kept[point.name]:
            why = f"its name is taken by {kept[point.name]}; it needs another"
        else:
            continue
        found.append(Adapter(name=f"{point.name} ({point.value})", target=point.value, why=why))
    return found


def announced(group: str) -> list[metadata.EntryPoint]:
    """A group's entry points, without those of packages that cannot be read. Their order does not
    hang on the file system's.
    """
    try:
        points = list(metadata.entry_points(group=group))
    except Exception:  # one malformed file, of whatever package, is enough
        points = [point for found in metadata.distributions() for point in _readable(found, group)]
    return sorted(points, key=lambda point: (point.name, point.value))


def _readable(found: metadata.Distribution, group: str) -> list[metadata.EntryPoint]:
    try:
        return list(found.entry_points.select(group=group))
    except Exception:
        return []


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
    loaded: type[Backend] = metadata.EntryPoint(name, target, GROUP).load()
    if isinstance(declared := getattr(loaded, "declares", None), Framework):
        know(name, declared)
    return loaded


def survey(
    device: str = "cpu", tasks: Sequence[Any] = (), wanted: Sequence[str] = ("*",)
) -> list[dict[str, object]]:
    """Try to load every adapter whose name a pattern of ``wanted`` matches, and ask it about the
    encoded tasks; a broken one is an answer, and the rest go on.
    """
    found = [
        _inspect(name, target, device, tasks)
        if any(fnmatchcase(name, pattern) for pattern in wanted)
        else Adapter(name=name, target=target, why=UNASKED)
        for name, target in targets().items()
    ]
    return [asdict(adapter) for adapter in found + refused()]


def _inspect(name: str, target: str, device: str, tasks: Sequence[Any]) -> Adapter:
    try:
        backend = load(name)
        why = fault(backend, device)
        if why is None:
            return _described(name, target, backend, device, tasks)
    except BaseException as error:  # of somebody else's module, which may also end the process
        why = sentence(error)
    return Adapter(name=name, target=target, why=without_private(why))


def _described(
    name: str, target: str, backend: type[Backend], device: str, tasks: Sequence[Any]
) -> Adapter:
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    framework = backend.framework
    if framework in sys.modules:
        versions[framework] = str(getattr(sys.modules[framework], "__version__", "unknown"))
    declared = backend.declares
    versions |= _companions(declared or KNOWN.get(framework))
    return Adapter(
        name=name,
        target=target,
        framework=framework,
        precisions=backend.offered(device),
        executions=backend.executions,
        versions=versions,
        answers=abilities(backend, device, tasks) if tasks else {},
        declared=asdict(declared) if declared else None,
    )


def _companions(framework: Framework | None) -> dict[str, str]:
    """The versions of what is installed beside a framework and computes for it."""
    if framework is None or not framework.companions:
        return {}
    names = (*framework.companions, *LIBRARIES)
    return {found.name: found.version for found in installed() if found.name.startswith(names)}
