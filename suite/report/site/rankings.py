"""What a run's comparisons found, as the site's first page shows it."""

from __future__ import annotations

from suite.analysis import words
from suite.analysis.digest import Digest, Ranked, Ranking
from suite.records.run import Run
from suite.records.schema import Interval
from suite.report.headlines import Arm, Group, groups
from tasks.base import Score


def ranked(run: Run, found: Digest) -> Digest:
    """The run's digest with its rankings, of comparisons with a time."""
    rankings = [
        _ranking(group, found.scores.get(group.task))
        for group in groups(run.summary)
        if any(arm.cell.step_seconds is not None for arm in group.arms)
    ]
    return found.model_copy(update={"rankings": tuple(rankings)})


def _ranking(group: Group, score: Score | None) -> Ranking:
    own = [arm for arm in group.arms if not arm.cell.is_twin]
    cell = own[0].cell
    return Ranking(
        **cell.model_dump(include={"task", "phase", "batch_size", "precision", "device"}),
        headline=group.headline,
        launches=group.launches,
        of_tokens=cell.tokens_per_second is not None,
        arms=[_ranked(group, arm, own[0], score) for arm in own],
    )


def _ranked(group: Group, arm: Arm, quickest: Arm, score: Score | None) -> Ranked:
    cell = arm.cell
    return Ranked(
        **cell.model_dump(include={"backend", "execution", "status", "parity"}),
        tier=arm.tier,
        times=_times(group, arm, quickest),
        step_seconds=cell.step_seconds.value if cell.step_seconds else None,
        per_second=cell.tokens_per_second or cell.samples_per_second,
        process_bytes=cell.memory.process,
        score=None if score is None else getattr(cell, score),
    )


def _times(group: Group, arm: Arm, quickest: Arm) -> Interval | None:
    """By the pair's own interval, turned round where need be."""
    if arm is quickest:
        return Interval(value=1, low=1, high=1) if arm.cell.step_seconds else None
    for pair in group.comparisons:
        interval = Interval(value=pair.ratio, low=pair.low, high=pair.high)
        if not words.determined(interval, pair.launches):
            continue
        if (pair.base, pair.new) == (quickest.name, arm.name):
            return interval
        if (pair.new, pair.base) == (quickest.name, arm.name):
            return Interval(value=1 / pair.ratio, low=1 / pair.high, high=1 / pair.low)
    return None
