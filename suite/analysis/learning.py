"""From a run's trainings to what they say together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import sqrt

from suite.analysis.equivalence import MARGIN, paired, seeds_needed, verdict
from suite.analysis.statistics import holm
from suite.records.schema import LearningSummary, RoundingSummary, Training

Group = tuple[str, str, str]  # task, precision, device
BySeed = dict[int, Training]


def learning(trainings: Sequence[Training]) -> list[LearningSummary]:
    """Every pair of arms of a task that have seeds in common."""
    found = []
    for (task, precision, device), arms in _arms(_started(trainings, "stored")).items():
        pairs = {
            (base, new): differences
            for base, new in combinations(arms, 2)
            if (differences := _differences(arms[base], arms[new]))
        }
        tests = {pair: paired(differences) for pair, differences in pairs.items()}
        adjusted = holm([test.p_different for test in tests.values()])
        for ((base, new), test), p_value in zip(tests.items(), adjusted, strict=True):
            said = verdict(test, p_value)
            needed = seeds_needed(pairs[base, new]) if said == "INCONCLUSIVE" else None
            found.append(
                LearningSummary(
                    task=task,
                    precision=precision,
                    device=device,
                    base=base,
                    new=new,
                    seeds=len(pairs[base, new]),
                    difference=test.mean,
                    low=test.low,
                    high=test.high,
                    margin=MARGIN,
                    verdict=said,
                    seeds_needed=needed,
                )
            )
    return found


def rounding(trainings: Sequence[Training]) -> list[RoundingSummary]:
    """What a start moved by one ulp changed, by arm."""
    stored = _arms(_started(trainings, "stored"))
    found = []
    for group, arms in _arms(_started(trainings, "one ulp")).items():
        for backend, moved in arms.items():
            changes = _differences(stored.get(group, {}).get(backend, {}), moved)
            if changes:
                task, precision, device = group
                found.append(
                    RoundingSummary(
                        task=task,
                        precision=precision,
                        device=device,
                        backend=backend,
                        seeds=len(changes),
                        difference=sqrt(sum(c * c for c in changes) / len(changes)),
                    )
                )
    return found


def _started(trainings: Iterable[Training], start: str) -> list[Training]:
    return [training for training in trainings if training.start == start]


def _arms(trainings: Iterable[Training]) -> dict[Group, dict[str, BySeed]]:
    groups: dict[Group, dict[str, BySeed]] = defaultdict(lambda: defaultdict(dict))
    for t in trainings:
        groups[t.task, t.precision, t.device][t.backend][t.seed] = t
    return groups


def _differences(base: BySeed, new: BySeed) -> list[float]:
    """Of test accuracy, new - base, by seed; only where both saw the same data."""
    return [
        new[seed].test_accuracy - base[seed].test_accuracy
        for seed in sorted(base.keys() & new.keys())
        if base[seed].data_hash == new[seed].data_hash
    ]
