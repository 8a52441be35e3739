"""What there is: tasks, backends, and which backend can run which task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from backends.base import EXECUTIONS
from suite.worker.abilities import Answer
from suite.worker.frameworks import REFERENCE
from suite.worker.installations import Installation
from tasks.base import Task

NUMBERS = {  # of a task, and what heads their columns
    "parameters": "parameters",
    "flops": "FLOPs a sample",
    "batch_size": "batch",
    "timed_batch_size": "timed batch",
    "epochs": "epochs",
}

BESIDE = 8  # backends of a table, which fit into 100 characters
WIDEST = 5  # two marks: ``✓ ✓``, or the numbers of two reasons

Rows = list[dict[str, Any]]


def listing(
    tasks: Sequence[Task], installations: Sequence[Installation], device: str
) -> dict[str, Rows]:
    """Tasks with their sizes, backends with their executions or why they are not available, and of
    every combination whether it can run. The installations must have been asked about these tasks.
    """
    return {
        "tasks": [
            {
                "task": task.name,
                "data": task.data.name,
                "parameters": task.model.size(),
                "flops": task.model.flops(),
                "batch_size": task.batch_size,
                "timed_batch_size": task.timed_batch_size,
                "epochs": task.epochs,
            }
            for task in tasks
        ],
        "backends": [
            {
                "backend": installation.name,
                "available": installation.why is None,
                "why": installation.why,
                "framework": installation.adapter.framework or None,
                "version": installation.adapter.versions.get(installation.adapter.framework),
                "executions": installation.adapter.executions,
                "precisions": installation.adapter.precisions,
                "interpreter": installation.interpreter,
            }
            for installation in installations
        ],
        "runs": [
            {
                "backend": installation.name,
                "task": task.name,
                "execution": execution,
                "device": device,
                "can_run": status == "ok",
                "status": status,
                "why": why,
            }
            for installation in installations
            for execution in EXECUTIONS
            for task, (status, why) in zip(
                tasks, _answers(installation, execution, tasks), strict=True
            )
        ],
    }


def show_listing(found: Mapping[str, Rows], console: Console) -> None:
    """The same as three tables; reasons stand below the last, by number."""
    tasks = Table(title="Tasks", title_justify="left", box=SIMPLE_HEAD)
    tasks.add_column("task", no_wrap=True)
    tasks.add_column("data")
    for heading in NUMBERS.values():
        tasks.add_column(heading, justify="right", min_width=6)
    for row in found["tasks"]:
        numbers = (f"{row[name]:,}" for name in NUMBERS)
        tasks.add_row(escape(row["task"]), escape(row["data"]), *numbers)
    heads = ("backend", "available", "executions", "precisions")
    backends = Table(*heads, title="Backends", title_justify="left", box=SIMPLE_HEAD)
    for row in found["backends"]:
        version = f"{row['framework']} {row['version'] or ''}".strip()
        backends.add_row(
            escape(row["backend"]),
            escape(f"yes, {version}" if row["available"] else f"no: {row['why']}"),
            ", ".join(row["executions"]),
            ", ".join(row["precisions"]),
        )
    console.print(tasks)
    console.print(backends)
    _show_runs(found["runs"], console)


def _show_runs(runs: Rows, console: Console) -> None:
    """A row per task, a column per backend with a mark for each execution."""
    reasons: dict[str, int] = {}
    marks: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        mark = "✓" if run["can_run"] else str(reasons.setdefault(run["why"], len(reasons) + 1))
        row = marks.setdefault(run["task"], {})
        row.setdefault(run["backend"], []).append(mark)
    backends = [*dict.fromkeys(run["backend"] for run in runs)]
    device = runs[0]["device"] if runs else ""
    what = f"Can run on {device}, {' and '.join(EXECUTIONS)}"
    console.print(
        f"{what} ({REFERENCE} is the reference and never timed)",
        style="table.title",
        highlight=False,
    )
    for first in range(0, len(backends), BESIDE):
        console.print(_grid(marks, backends[first : first + BESIDE]))
    below = Table.grid(padding=(0, 2))
    for why, number in reasons.items():
        below.add_row(f" {number}", escape(why))
    console.print(below)


def _grid(marks: Mapping[str, Mapping[str, Sequence[str]]], backends: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", no_wrap=True)
    for backend in backends:
        table.add_column(escape(backend), justify="center", overflow="fold", min_width=WIDEST)
    for task, row in marks.items():
        table.add_row(escape(task), *(" ".join(row[backend]) for backend in backends))
    return table


def _answers(installation: Installation, execution: str, tasks: Sequence[Task]) -> Sequence[Answer]:
    if installation.why is not None:
        return [("not_available", installation.why)] * len(tasks)
    return installation.adapter.answers[execution]
