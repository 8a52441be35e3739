"""A training that diverges, so that rounding grows in it: inception-v3-twin at ten times its
rate.
"""

from __future__ import annotations

from dataclasses import replace

from tasks import twins
from tasks.base import Task


def tasks() -> list[Task]:
    """``diverging-twin``."""
    (task,) = (task for task in twins.tasks() if task.name == "inception-v3-twin")
    name, rate = "diverging-twin", 10 * task.optimizer.learning_rate
    return [
        replace(
            task,
            name=name,
            model=replace(task.model, name=name),
            optimizer=replace(task.optimizer, learning_rate=rate),
        )
    ]
