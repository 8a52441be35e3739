"""The command that measures one cell of a run again."""

from __future__ import annotations

import shlex
from functools import cache
from itertools import pairwise

from suite.records.schema import Cell, Manifest


def command(manifest: Manifest, cell: Cell) -> str:
    """As a line for a shell. Interpreters stand by name, as in the run's own command: where they
    lie is not told. It measures the cell alone; beside others, as then, the whole run's does.
    """
    trainings = manifest.tasks.get(cell.task, {}).get("seeds", 0) if cell.phase == "train" else 0
    options = {
        "--task": cell.task,
        "--phase": cell.phase,
        "--backend": cell.doubles,
        "--execution": cell.execution,
        "--precision": cell.precision,
        "--device": cell.device,
        "--batch-size": cell.batch_size,
        "--launches": manifest.launches,
        "--seed": manifest.choice.get("seed") or None,
        "--seeds": trainings,
        "--epochs": manifest.choice.get("epochs"),
        "--aa": cell.doubles if cell.is_twin else None,
        "--environment": manifest.choice.get("environment"),
    }
    words = ["tribench", "run"]
    words += [str(w) for option in options.items() if option[1] is not None for w in option]
    return shlex.join([*words, *_interpreter(manifest.command, cell.doubles)])


@cache
def _interpreter(line: str, backend: str) -> tuple[str, ...]:
    """The option of the run's command that names this backend's."""
    try:
        typed = shlex.split(line)
    except ValueError:
        return ()
    pairs = (pair for pair in pairwise(typed) if pair[0] == "--python")
    return tuple(word for pair in pairs if pair[1].startswith(f"{backend}=") for word in pair)
