"""The site's first page: which framework is the quickest, on which machine, for which model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from suite.analysis import words
from suite.analysis.digest import Digest, Ranked, Ranking
from suite.analysis.scores import SCORES
from suite.records.schema import Phase
from suite.report.grouping import grouped

PHASES: dict[Phase, str] = {"train": "training", "infer": "inference"}
PROFILE = "standard"  # the machine of the newest such run is shown first

Numbered = tuple[Digest, int]  # a run, and the number of its machine
ArmKey = tuple[str, str]  # backend, execution


@dataclass(frozen=True, kw_only=True)
class Row:
    """A ranking, and the run that has it."""

    ranking: Ranking
    run: Digest

    @property
    def by_arm(self) -> dict[ArmKey, Ranked]:
        """Its arms."""
        return {(arm.backend, arm.execution): arm for arm in self.ranking.arms}

    @property
    def winners(self) -> list[str]:
        """The backends of the first tier, where an order is shown; none where nothing is."""
        tiers = [arm.tier for arm in self.ranking.arms if arm.tier is not None]
        if max(tiers, default=1) == 1:
            return []
        return list(dict.fromkeys(arm.backend for arm in self.ranking.arms if arm.tier == 1))

    def score(self, arm: Ranked) -> str:
        """What the arm's trainings reach, with its unit."""
        name = self.run.scores.get(self.ranking.task)
        if name is None or arm.score is None:
            return ""
        score = SCORES[name]
        return f"{words.number(score.scale * arm.score)} {score.unit}"

    def rate(self, arm: Ranked) -> str:
        """Samples or tokens a second."""
        of = "tokens" if self.ranking.of_tokens else "samples"
        return f"{words.number(arm.per_second)} {of}/s"


@dataclass(frozen=True, kw_only=True)
class Front:
    """What is shown of a machine and a phase."""

    machine: int
    name: str
    phase: Phase
    rows: Sequence[Row]

    @property
    def arms(self) -> list[ArmKey]:
        """Its columns, of what has any time, in an order that does not depend on who is quick."""
        every = (item for row in self.rows for item in row.by_arm.items())
        return sorted({key for key, arm in every if arm.step_seconds is not None})

    @property
    def several(self) -> list[str]:
        """What rows differ in beside task and batch size."""
        return [
            name
            for name in ("precision", "device")
            if len({getattr(row.ranking, name) for row in self.rows}) > 1
        ]

    @property
    def sentence(self) -> str:
        """Who is alone at the top how often."""
        alone = [row.winners[0] for row in self.rows if len(row.winners) == 1]
        counts = {name: alone.count(name) for name in sorted(set(alone))}
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        told = [f"{name} is the quickest in {count}" for name, count in ordered]
        left = len(self.rows) - len(alone)
        if left:
            told.append(f"in {left} no backend is the quickest beyond chance")
        of = words.count(len(self.rows), "comparison", "comparisons")
        return f"Of {of} of {PHASES[self.phase]}: {', '.join(told)}."


def fronts(runs: Sequence[Numbered]) -> list[Front]:
    """Of each machine and phase with results; first the machine of the newest standard run, then
    the newest. ``runs`` are newest first.
    """
    machines = grouped(runs, lambda run: run[1])
    standard = [number for run, number in runs if run.profile == PROFILE and run.rankings]
    order = dict.fromkeys([*standard, *machines])
    return [front for number in order for front in _of_machine(number, machines[number])]


def _of_machine(number: int, runs: Sequence[Numbered]) -> Iterator[Front]:
    rows = [Row(ranking=ranking, run=run) for run, _ in runs for ranking in run.rankings]
    chosen = [_chosen(same) for same in grouped(rows, _key).values()]
    name = words.machine(runs[0][0].environment)
    for phase in PHASES:
        found = sorted((row for row in chosen if row.ranking.phase == phase), key=_key)
        if found:
            yield Front(machine=number, name=name, phase=phase, rows=found)


def _key(row: Row) -> tuple[str, int, str, str, str]:
    """What is compared; tasks of one kind stand together."""
    of = row.ranking
    return (of.task, of.batch_size, of.precision, of.device, of.phase)


def _chosen(rows: Sequence[Row]) -> Row:
    """The newest that is more than a first look and has a rank, or else the newest."""
    relied = (
        row
        for row in rows
        if row.ranking.launches > words.FIRST_LOOK_LAUNCHES
        and any(arm.tier is not None for arm in row.ranking.arms)
    )
    return next(relied, rows[0])
