"""What there is: tasks, and which backends can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from suite.worker.discovery import Arm
from tasks.base import Task


def listing(tasks: Mapping[str, Task], arms: Sequence[Arm]) -> dict[str, list[dict[str, Any]]]:
    """Tasks with their sizes, backends with their executions or why they are not available."""
    return {
        "tasks": [
            {
                "task": task.name,
                "data": task.data.name,
                "parameters": sum(prod(p.shape) for p in task.model.parameters().values()),
                "flops": task.model.flops(),
                "batch_size": task.batch_size,
                "timed_batch_size": task.timed_batch_size,
                "epochs": task.epochs,
            }
            for task in tasks.values()
        ],
        "backends": [
            {
                "backend": arm.name,
                "available": arm.why is None,
                "why": arm.why,
                "framework": arm.adapter.framework or None,
                "version": arm.adapter.versions.get(arm.adapter.framework),
                "executions": list(arm.adapter.executions),
                "precisions": list(arm.adapter.precisions),
                "interpreter": arm.interpreter,
            }
            for arm in arms
        ],
    }


def show_listing(found: Mapping[str, Sequence[Mapping[str, Any]]], console: Console) -> None:
    """The same as two tables."""
    tasks = Table(title="Tasks", title_justify="left")
    tasks.add_column("task", no_wrap=True)
    tasks.add_column("data")
    for heading in ("parameters", "FLOPs a sample", "batch", "timed batch", "epochs"):
        tasks.add_column(heading, justify="right", min_width=6)
    for row in found["tasks"]:
        numbers = ("parameters", "flops", "batch_size", "timed_batch_size", "epochs")
        tasks.add_row(escape(row["task"]), escape(row["data"]), *(f"{row[n]:,}" for n in numbers))
    backends = Table(
        "backend", "available", "executions", "precisions", title="Backends", title_justify="left"
    )
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
