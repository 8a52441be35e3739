"""Which cells are ranked against each other, and what their arms are called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suite.records.schema import Cell


def comparisons(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells grouped by what is ranked against each other, in order."""
    groups: dict[tuple[str, str, str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.comparison, []).append(cell)
    return list(groups.values())


def arm_names(cells: Sequence[Cell]) -> dict[tuple[str, str], str]:
    """What to call the arms of a comparison: the backend, with its execution if it has several."""
    backends = [cell.backend for cell in cells]
    return {
        cell.arm: cell.backend
        if backends.count(cell.backend) == 1
        else f"{cell.backend} {cell.execution}"
        for cell in cells
    }
