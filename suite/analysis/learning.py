"""From a run's trainings to what they say together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import sqrt

from suite.analysis.equivalence import paired, seeds_needed, verdict
from suite.analysis.scores import SCORES
from suite.analysis.statistics import holm
from suite.records.schema import LearningSummary, RoundingSummary, Training
from tasks.base import Score

GROUP = ("task", "precision", "device")
BySeed = dict[int, Training]
Arms = dict[str, BySeed]


def learning(trainings: Sequence[Training]) -> list[LearningSummary]:
    """Every pair of arms of a task that have seeds in common."""
    found = []
    for group, arms in _groups(trainings, "stored").items():
        pairs = {
            (base, new): differences
            for base, new in combinations(arms, 2)
            if (differences := _differences(arms[base], arms[new]))
        }
        score = _score(arms)
        margin = SCORES[score].margin
        tests = {pair: paired(differences, margin) for pair, differences in pairs.items()}
        adjusted = holm([test.p_different for test in tests.values()])
        for ((base, new), test), p_value in zip(tests.items(), adjusted, strict=True):
            said = verdict(test, p_value)
            differences = pairs[base, new]
            found.append(
                LearningSummary(
                    **dict(zip(GROUP, group, strict=True)),
                    base=base,
                    new=new,
                    seeds=len(differences),
                    difference=test.mean,
                    low=test.low,
                    high=test.high,
                    margin=margin,
                    verdict=said,
                    seeds_needed=(
                        seeds_needed(differences, margin) if said == "INCONCLUSIVE" else None
                    ),
                    score=score,
                )
            )
    return found


def rounding(trainings: Sequence[Training]) -> list[RoundingSummary]:
    """What a start moved by one ulp changed, by arm."""
    stored = _groups(trainings, "stored")
    return [
        RoundingSummary(
            **dict(zip(GROUP, group, strict=True)),
            backend=backend,
            seeds=len(changes),
            difference=sqrt(sum(c * c for c in changes) / len(changes)),
            score=_score(arms),
        )
        for group, arms in _groups(trainings, "one ulp").items()
        for backend, moved in arms.items()
        if (changes := _differences(stored.get(group, {}).get(backend, {}), moved))
    ]


def _groups(trainings: Iterable[Training], start: str) -> dict[tuple[str, ...], Arms]:
    """Those with this start, by what ``GROUP`` names, arm and seed."""
    groups: dict[tuple[str, ...], Arms] = defaultdict(lambda: defaultdict(dict))
    for t in trainings:
        if t.start == start:
            groups[t.task, t.precision, t.device][t.backend][t.seed] = t
    return groups


def _score(arms: Arms) -> Score:
    """That of the task, which all of its trainings have."""
    return next(training.score for seeds in arms.values() for training in seeds.values())


def _differences(base: BySeed, new: BySeed) -> list[float]:
    """Of the test score, new - base, by seed; only where both saw the same data."""
    return [
        SCORES[mine.score].test(mine) - SCORES[other.score].test(other)
        for seed in sorted(base.keys() & new.keys())
        if (other := base[seed]).data_hash == (mine := new[seed]).data_hash
    ]
