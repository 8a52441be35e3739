"""The command that measures one cell of a run again."""

from __future__ import annotations

import shlex
from functools import cache
from itertools import pairwise

from suite.records.schema import Cell, Manifest, Upgrade


def command(manifest: Manifest, cell: Cell) -> str:
    """As a line for a shell. Interpreters stand by name, as in the run's own command: where they
    lie is not told. It measures the cell alone, of an upgrade in both arms; beside others, as then,
    the whole run's does.
    """
    upgrade = manifest.upgrade if cell.doubles in _arms(manifest.upgrade) else None
    trainings = manifest.tasks.get(cell.task, {}).get("seeds", 0) if cell.phase == "train" else 0
    options = {
        "--task": cell.task,
        "--phase": cell.phase,
        "--backend": upgrade.backend if upgrade else cell.doubles,
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
    asked = ("run",) if upgrade is None else ("upgrade", *upgrade.requirements)
    words = ["tribench", *asked]
    words += [str(w) for option in options.items() if option[1] is not None for w in option]
    return shlex.join([*words, *_interpreter(manifest.command, cell.doubles)])


def _arms(upgrade: Upgrade | None) -> tuple[str, ...]:
    return () if upgrade is None else (upgrade.base, upgrade.new)


@cache
def _interpreter(line: str, backend: str) -> tuple[str, ...]:
    """The option of the run's command that names this backend's, or makes its environment."""
    try:
        typed = shlex.split(line)
    except ValueError:
        return ()
    pairs = (pair for pair in pairwise(typed) if pair[0] in ("--python", "--with"))
    return tuple(word for pair in pairs if pair[1].startswith(f"{backend}=") for word in pair)
