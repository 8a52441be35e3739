"""The comparison of two runs, cell by cell; of one run with itself nothing, its arms are paired.

scripts/compare.js does the same in a browser; tests/browser/test_site.py holds it against this.
"""

from __future__ import annotations

from suite.compare.comparable import differences, other_work
from suite.compare.digest import CellDigest, Digest, cell_of, digest
from suite.compare.unpaired import changes
from suite.measure.statistics import holm
from suite.measure.verdict import verdict
from suite.store.run import Run
from suite.store.schema import Cell, CellChange, RunComparison


def compare(base: Run, new: Run) -> RunComparison:
    """See :func:`compare_digests`."""
    return compare_digests(digest(base), digest(new))


def compare_digests(base: Digest, new: Digest) -> RunComparison:
    """What both measured, most significant change first; what only one has, or what is other work,
    is named. Nothing is judged where the machines differ in what matters.
    """
    delta = max(base.delta, new.delta)
    apart = differences(base.environment, new.environment)
    mine, theirs = _cells(base), _cells(new)
    other = {c: why for c in mine if c in theirs and (why := other_work(base, new, c))}
    pairs = [
        (cell, ours.logs, theirs[cell].logs, (ours.launches, theirs[cell].launches))
        for cell, ours in mine.items()
        if cell in theirs and cell not in other
    ]
    measured = [(c, a, b, counts) for c, a, b, counts in pairs if a is not None and b is not None]
    common, found = changes([(a, b) for _, a, b, _ in measured])
    adjusted = holm([change.p_value for change in found])
    comparable = not any(difference.matters for difference in apart)
    judged = [
        CellChange(
            **cell.model_dump(),
            ratio=change.ratio.value,
            low=change.ratio.low,
            high=change.ratio.high,
            launches=counts,
            p_value=p_value,
            verdict=verdict(change.ratio, delta, None, p_value) if comparable else None,
        )
        for (cell, _, _, counts), change, p_value in zip(measured, found, adjusted, strict=True)
    ]
    named = {cell: "only in BASE" for cell in mine if cell not in theirs}
    named |= {cell: "only in NEW" for cell in theirs if cell not in mine}
    named |= {cell: "not measured in both" for cell, a, b, _ in pairs if a is None or b is None}
    named |= other
    return RunComparison(
        base=base.id,
        new=new.id,
        comparable=comparable,
        delta=delta,
        common=common.value,
        common_low=common.low,
        common_high=common.high,
        differences=apart,
        changes=sorted(judged, key=lambda change: (change.p_value, -abs(change.ratio - 1))),
        left_out=[f"{_name(cell)}: {why}" for cell, why in named.items()],
    )


def regressions(comparison: RunComparison) -> list[CellChange]:
    """What became slower beyond chance."""
    return [change for change in comparison.changes if change.verdict == "SLOWER"]


def _cells(run: Digest) -> dict[Cell, CellDigest]:
    """Without A/A arms, which are compared within their run."""
    return {cell_of(found): found for found in run.cells if not found.is_twin}


def _name(cell: Cell) -> str:
    return f"{cell.task} {cell.phase} ×{cell.batch_size} {cell.backend} {cell.execution}"
