"""The comparison of two runs, cell by cell; of one run with itself nothing, its arms are paired."""

from __future__ import annotations

from statistics import median

from suite.compare.comparable import differences, other_work
from suite.compare.unpaired import Launches, changes, launches
from suite.measure.statistics import holm
from suite.measure.times import Times
from suite.measure.verdict import verdict
from suite.store.run import Run
from suite.store.schema import Cell, CellChange, RunComparison


def compare(base: Run, new: Run) -> RunComparison:
    """What both measured, most significant change first; what only one has, or what is other work,
    is named. Nothing is judged where the machines differ in what matters.
    """
    delta = max(base.manifest.delta, new.manifest.delta)
    apart = differences(base.environment, new.environment)
    mine, theirs = Times(base.records), Times(new.records)
    both = [c for c in base.manifest.cells if c in set(new.manifest.cells) and not c.is_twin]
    other = {cell: why for cell in both if (why := other_work(base, new, cell))}
    pairs: dict[Cell, tuple[Launches, Launches]] = {
        cell: (_launches(mine, cell), _launches(theirs, cell))
        for cell in both
        if cell not in other and mine.of(cell) and theirs.of(cell)
    }
    common, found = changes(list(pairs.values()))
    adjusted = holm([change.p_value for change in found])
    comparable = not any(difference.matters for difference in apart)
    judged = [
        CellChange(
            **cell.model_dump(),
            ratio=change.ratio.value,
            low=change.ratio.low,
            high=change.ratio.high,
            launches=(len(mine.of(cell)), len(theirs.of(cell))),
            p_value=p_value,
            verdict=verdict(change.ratio, delta, None, p_value) if comparable else None,
        )
        for (cell, change, p_value) in zip(pairs, found, adjusted, strict=True)
    ]
    named = {cell: "only in BASE" for cell in base.manifest.cells if cell not in both}
    named |= {cell: "only in NEW" for cell in new.manifest.cells if cell not in both}
    named |= {cell: "not measured in both" for cell in both if cell not in pairs}
    named |= other
    return RunComparison(
        base=base.manifest.id,
        new=new.manifest.id,
        comparable=comparable,
        delta=delta,
        common=common.value,
        common_low=common.low,
        common_high=common.high,
        differences=apart,
        changes=sorted(judged, key=lambda change: (change.p_value, -abs(change.ratio - 1))),
        left_out=[f"{_name(c)}: {why}" for c, why in named.items() if not c.is_twin],
    )


def regressions(comparison: RunComparison) -> list[CellChange]:
    """What became slower beyond chance."""
    return [change for change in comparison.changes if change.verdict == "SLOWER"]


def _launches(times: Times, cell: Cell) -> Launches:
    return launches([median(rounds.values()) for rounds in times.of(cell).values()])


def _name(cell: Cell) -> str:
    return f"{cell.task} {cell.phase} ×{cell.batch_size} {cell.backend} {cell.execution}"
