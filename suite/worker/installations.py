"""Which interpreter runs which backend."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from backends.framework import Framework
from suite.errors import CommandError
from suite.files import scratch
from suite.worker.adapters import OURS, UNASKED, Adapter
from suite.worker.client import Client
from suite.worker.environment import root
from suite.worker.frameworks import REFERENCE, know
from suite.worker.private import without_private
from suite.worker.process import Worker, WorkerError, WorkerLost

SURVEY_LIMIT_SECONDS = 120.0
START_LIMIT_SECONDS = 30.0  # without an adapter: of what starts no worker at all
ALONE_LIMIT_SECONDS = 60.0  # for one adapter, where they could not be asked together


class InterpreterError(CommandError):
    """An interpreter that was asked for by name and cannot do it."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A backend in an interpreter, or why there is none. ``name`` is the backend's, with ``@label``
    for a second interpreter.
    """

    name: str
    interpreter: str | None
    adapter: Adapter

    @property
    def why(self) -> str | None:
        """Why it is not available; None if it is."""
        return self.adapter.why


def discover(
    pythons: Mapping[str, str],
    device: str = "cpu",
    tasks: Sequence[Any] = (),
    wanted: Sequence[str] = (),
    missing: Mapping[str, str] | None = None,
) -> list[Installation]:
    """Every backend that some interpreter announces. Where the user ``wanted`` some, by patterns as
    ``--backend`` takes them, only these, the reference and what ``pythons`` names are loaded, since
    an import can take seconds; the others are not available. ``pythons`` maps NAME or NAME@LABEL to
    an interpreter. What it does not name runs in the first that can load it: nox's environments,
    the present interpreter, then those given for others. Each adapter is asked about the encoded
    tasks on the device. Raises InterpreterError for a bad entry of ``pythons``. ``missing`` maps
    names that have no interpreter to the reason; where it is given, an adapter that does not load
    in its interpreter of ``pythons`` is not available either, and no error.
    """
    given = {name: _resolve(name, path) for name, path in pythons.items()}
    environments = [path for name in OURS if (path := _nox(name)).exists()]
    defaults = [*map(str, environments), sys.executable]
    patterns = {name.partition("@")[0] for name in (*wanted, *given)} if wanted else {"*"}
    question = {"device": device, "tasks": list(tasks), "wanted": [*sorted(patterns), REFERENCE]}
    known = _survey_all(dict.fromkeys([*defaults, *given.values()]), question)
    found = {}
    for name, interpreter in given.items():
        backend = name.partition("@")[0]
        adapter = known[interpreter].get(backend)
        if adapter is None:
            raise InterpreterError(f"--python {name}={interpreter}: no backend {backend} there")
        if adapter.why is not None and missing is None:
            raise InterpreterError(f"--python {name}={interpreter}: {adapter.why}")
        found[name] = Installation(name=name, interpreter=interpreter, adapter=adapter)
    for name, why in (missing or {}).items():
        adapter = Adapter(name=name.partition("@")[0], target="", why=why)
        found[name] = Installation(name=name, interpreter=None, adapter=adapter)
    for adapters in known.values():
        for name in adapters:
            if name not in found:
                found[name] = _first(name, known)
    return list(found.values())


def _first(name: str, known: Mapping[str, Mapping[str, Adapter]]) -> Installation:
    """The first interpreter that can load this adapter; else the most telling of the answers."""
    answers = [(path, adapters[name]) for path, adapters in known.items() if name in adapters]
    for path, adapter in answers:
        if adapter.why is None:
            return Installation(name=name, interpreter=path, adapter=adapter)
    reasons = list(dict.fromkeys(str(adapter.why) for _, adapter in answers))
    # An interpreter that has the framework but cannot load it tells more than those without it.
    reasons.sort(key=lambda why: why.startswith("ModuleNotFoundError"))
    missing = Adapter(name=name, target=answers[0][1].target, why="; ".join(reasons))
    return Installation(name=name, interpreter=None, adapter=missing)


def _survey_all(
    interpreters: Iterable[str], question: dict[str, Any]
) -> dict[str, dict[str, Adapter]]:
    """Ask all interpreters side by side: one import, TensorFlow's, takes half of all their time."""
    paths = list(interpreters)
    with scratch() as logs, ThreadPoolExecutor(len(paths)) as pool:
        asked = [
            pool.submit(_survey, path, logs / f"{number}.log", question)
            for number, path in enumerate(paths)
        ]
        return {path: one.result() for path, one in zip(paths, asked, strict=True)}


def _survey(interpreter: str, log: Path, question: dict[str, Any]) -> dict[str, Adapter]:
    """Its adapters by name. Where one of them ends the worker, each is asked in one of its own; an
    interpreter that cannot run a worker says so for each of ours.
    """
    try:
        return _ask(interpreter, log, question, SURVEY_LIMIT_SECONDS)
    except (WorkerError, WorkerLost):
        pass
    try:
        found = _ask(interpreter, log, question | {"wanted": ()}, START_LIMIT_SECONDS)
    except (WorkerError, WorkerLost) as error:
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        why = without_private(f"cannot run a worker: {lines[-1] if lines else error}")
        return {name: Adapter(name=name, target=OURS[name], why=why) for name in OURS}
    alone = [
        name
        for name, adapter in found.items()
        if adapter.why == UNASKED and any(fnmatchcase(name, each) for each in question["wanted"])
    ]

    def ask(name: str) -> Adapter:
        own = log.with_name(f"{log.stem}-{name}.log")
        try:
            return _ask(interpreter, own, question | {"wanted": (name,)}, ALONE_LIMIT_SECONDS)[name]
        except (WorkerError, WorkerLost) as error:
            why = str(error).partition("; see ")[0]
            return replace(found[name], why=f"it could not be loaded: {why}")

    with ThreadPoolExecutor(len(alone) or 1) as pool:
        return found | dict(zip(alone, pool.map(ask, alone), strict=True))


def _ask(
    interpreter: str, log: Path, question: dict[str, Any], limit_seconds: float
) -> dict[str, Adapter]:
    with Worker(interpreter, log, question["device"]) as worker:
        answer = Client(worker).survey(limit_seconds, **question)
    found = {entry["name"]: Adapter(**entry) for entry in answer}
    for adapter in found.values():
        if adapter.declared is not None:
            know(adapter.name, Framework(**adapter.declared))
    return found


def _resolve(name: str, path: str) -> str:
    found = shutil.which(path)
    if found is None:
        raise InterpreterError(f"--python {name}={path}: no such interpreter")
    return str(Path(found).absolute())


def _nox(name: str) -> Path:
    return root() / ".nox" / name / "bin" / "python"
