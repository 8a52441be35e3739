"""Every task there is: ours, and those that installed packages announce under the entry point group
``tribench.tasks``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout

from suite.errors import CommandError
from suite.worker.adapters import NAME, announced
from tasks.base import Task

GROUP = "tribench.tasks"
FAMILIES = ("cnn", "rnn", "transformer", "gpt", "translation", "speech", "real", "twins")
OURS = {name: f"tasks.{name}:tasks" for name in FAMILIES}


class CatalogueError(CommandError):
    """Tasks of another package that cannot be used."""


def tasks() -> dict[str, Task]:
    """{name: task}. Raises CatalogueError if tasks cannot be loaded or a name is taken."""
    return _loaded([*OURS.values(), *(point.value for point in announced(GROUP))])


def own() -> frozenset[str]:
    """The names of tribench's own tasks, which no other package can take."""
    return frozenset(_loaded(OURS.values()))


def _loaded(sources: Iterable[str]) -> dict[str, Task]:
    found: dict[str, Task] = {}
    for source in dict.fromkeys(sources):
        module, _, function = source.partition(":")
        try:
            with redirect_stdout(sys.stderr):  # ours is for answers
                loaded = list(getattr(importlib.import_module(module), function)())
        except (Exception, SystemExit) as error:
            raise CatalogueError(f"the tasks of {source} cannot be loaded: {error}") from error
        for task in loaded:
            if not isinstance(task, Task):
                raise CatalogueError(f"{source}: {type(task).__name__} is no Task")
            if not NAME.fullmatch(task.name):
                why = "must begin with a letter, digit or _, and may go on with these, . and -"
                raise CatalogueError(f"{source}: the name of a task (={task.name!r}) {why}")
            if task.name in found:
                raise CatalogueError(f"{source}: there is another task {task.name}")
            found[task.name] = task
    return found
