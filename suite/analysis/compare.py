"""The comparison of two runs, cell by cell; of one run with itself nothing, its arms are paired.

scripts/unpaired.js does the same in a browser; tests/browser/test_site.py holds it against this.
"""

from __future__ import annotations

from suite.analysis.comparable import differences, other_work
from suite.analysis.digest import CellDigest, Digest, cell_of, digest
from suite.analysis.statistics import holm
from suite.analysis.unpaired import Change, changes
from suite.analysis.verdict import verdict
from suite.records.run import Run
from suite.records.schema import Cell, CellChange, RunComparison, Verdict


def compare(base: Run, new: Run) -> RunComparison:
    """See :func:`compare_digests`."""
    return compare_digests(digest(base), digest(new))


def compare_digests(base: Digest, new: Digest) -> RunComparison:
    """What both measured, most significant change first and what is not judged by its times last;
    what only one has, or what is other work, is named. Nothing is judged where the machines differ
    in what matters.
    """
    delta = max(base.delta, new.delta)
    apart = differences(base.environment, new.environment)
    comparable = not any(difference.matters for difference in apart)
    mine, theirs = _cells(base), _cells(new)
    other = {c: why for c in mine if c in theirs and (why := other_work(base, new, c))}
    both = [(mine[cell], theirs[cell]) for cell in mine if cell in theirs and cell not in other]
    measured = [(a, b, (a.logs, b.logs)) for a, b in both if a.logs and b.logs]
    measured.sort(key=lambda pair: _standings(*pair[:2]) != {"fit"})  # these first
    fit = sum(_standings(a, b) == {"fit"} for a, b, _ in measured)
    logs = [each for *_, each in measured]
    common, found = changes(logs[:fit], logs[fit:])
    adjusted = holm([change.p_value for change in found[:fit]])
    adjusted += [change.p_value for change in found[fit:]]

    def judged(a: CellDigest, b: CellDigest, change: Change, p_value: float) -> CellChange:
        said: Verdict | None = None
        if comparable and not {"absent", "unfit"} & _standings(a, b):
            busy = "disturbed" in _standings(a, b)
            said = "INCONCLUSIVE" if busy else verdict(change.ratio, delta, None, p_value)
        return CellChange(
            **cell_of(a).model_dump(),
            ratio=change.ratio.value,
            low=change.ratio.low,
            high=change.ratio.high,
            launches=(a.launches, b.launches),
            p_value=p_value,
            verdict=said,
            reason=caution(a, b) or None,
        )

    changed = [
        judged(a, b, change, p_value)
        for (a, b, _), change, p_value in zip(measured, found, adjusted, strict=True)
    ]
    named = {cell: "only in BASE" for cell in mine if cell not in theirs}
    named |= {cell: "only in NEW" for cell in theirs if cell not in mine}
    named |= {cell_of(a): "" for a, b in both if not (a.logs and b.logs)} | other
    told = {cell: caution(mine.get(cell), theirs.get(cell), what) for cell, what in named.items()}
    silent = {
        cell_of(a): caution(a, b) for a, b, _ in measured if {"absent", "unfit"} & _standings(a, b)
    }
    return RunComparison(
        base=base.id,
        new=new.id,
        comparable=comparable,
        delta=delta,
        common=common.value,
        common_low=common.low,
        common_high=common.high,
        differences=apart,
        changes=[
            *sorted(changed[:fit], key=lambda one: (one.p_value, -abs(one.ratio - 1))),
            *changed[fit:],
        ],
        left_out=[f"{cell.label}: {why}" for cell, why in told.items()],
        unjudged=[
            f"{cell.label}: {why}"
            for cell, why in (silent | told).items()
            if stops(mine.get(cell), theirs.get(cell))
        ],
        inconclusive=sum(change.verdict == "INCONCLUSIVE" for change in changed),
    )


def regressions(comparison: RunComparison) -> list[CellChange]:
    """What became slower beyond chance."""
    return [change for change in comparison.changes if change.verdict == "SLOWER"]


def stops(base: CellDigest | None, new: CellDigest | None) -> bool:
    """Does a gate stop at a cell of which nothing is said? It passes only what it has judged, and
    what BASE did not have: a cell that failed or could not run there cannot have become worse.
    """
    lost = base is not None and base.standing != "absent"
    return lost or (new is not None and (new.status == "failed" or new.standing == "unfit"))


def caution(
    base: CellDigest | None,
    new: CellDigest | None,
    what: str = "",
    names: tuple[str, str] = ("BASE", "NEW"),
) -> str:
    """What sets a cell apart, and what is to be known of it in either run; empty if nothing."""
    notes = [_noted(names[0], base), _noted(names[1], new)]
    if base and new and base.note and base.note == new.note:
        notes = [_noted("both", new)]
    return "; ".join(filter(None, (what, *notes)))


def _standings(base: CellDigest, new: CellDigest) -> set[str]:
    return {base.standing, new.standing}


def _noted(where: str, cell: CellDigest | None) -> str:
    """``failed in NEW: timing: out of memory``."""
    if cell is None or cell.note is None:
        return ""
    return f"{cell.note} in {where}" + (f": {cell.reason}" if cell.reason else "")


def _cells(run: Digest) -> dict[Cell, CellDigest]:
    """Without A/A arms, which are compared within their run."""
    return {cell_of(found): found for found in run.cells if not found.is_twin}
