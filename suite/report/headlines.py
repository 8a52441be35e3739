"""What a run found, comparison by comparison: who is in which tier, and a headline in words.

Tiers instead of a winner: an arm stands one tier below the lowest arm that is decisively faster
than it, so arms that no verdict tells apart from the best share the first tier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.analysis import words
from suite.analysis.comparisons import arm_names
from suite.records.schema import CellSummary, ComparisonSummary, Interval, Summary
from suite.report.grouping import grouped


@dataclass(frozen=True, kw_only=True)
class Arm:
    """A cell within its comparison; ``tier`` is None where no verdict ranks it."""

    cell: CellSummary
    name: str
    tier: int | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """The cells that are ranked against each other, fastest first, unmeasured ones last."""

    arms: list[Arm]
    comparisons: list[ComparisonSummary]

    @property
    def task(self) -> str:
        """The task that all its cells share, as they share the other fields below."""
        return self.arms[0].cell.task

    @property
    def setting(self) -> str:
        """Phase, batch size, precision and device."""
        cell = self.arms[0].cell
        return f"{cell.phase}, batch {cell.batch_size}, {cell.precision}, {cell.device}"

    @property
    def short_setting(self) -> str:
        """The same where precision and device are known."""
        return f"{self.arms[0].cell.phase}, batch {self.arms[0].cell.batch_size}"

    @property
    def launches(self) -> int:
        """The fewest launches that a comparison rests on; without one, that a cell rests on."""
        counted = [comparison.launches for comparison in self.comparisons]
        return min(counted or [arm.cell.launches for arm in self.arms])

    @property
    def first(self) -> list[Arm]:
        """The arms of the first tier."""
        return [arm for arm in self.arms if arm.tier == 1]

    @property
    def order_is_shown(self) -> bool:
        """Is any arm slower than another, beyond doubt?"""
        return any(arm.tier is not None and arm.tier > 1 for arm in self.arms)

    @property
    def headline(self) -> str:
        """Which order is shown and how large it is, and what is not settled."""
        ranked = [arm for arm in self.arms if arm.tier is not None]
        if len(ranked) < 2:
            if any(arm.cell.status == "disturbed" for arm in self.arms):
                return "No ranking: the machine was disturbed"
            return "No ranking: fewer than two arms can be compared"
        behind = [arm for arm in ranked if arm not in self.first]
        if len(self.first) == 1:
            return self._fastest(self.first[0], behind)
        names = words.listed(_names(self.first))
        pairs = [c for c in self.comparisons if {c.base, c.new} <= {*_names(self.first)}]
        if pairs and all(pair.verdict == "EQUIVALENT" for pair in pairs):
            ahead = f"{names} are equally fast, within {100 * pairs[0].delta:g} %"
            return "; ".join([ahead, *self._below(behind)])
        said = f"{names} are not settled"
        return "; ".join([*self._below(behind), said if behind else self._as_seen(said)])

    def ratio(self, arm: Arm, base: Arm) -> float | None:
        """How many times as long ``arm`` takes as ``base``, as far as was seen."""
        for found in self.comparisons:
            if (found.base, found.new) == (base.name, arm.name):
                return found.ratio
            if (found.new, found.base) == (base.name, arm.name):
                return 1 / found.ratio
        return None

    def _slower_than(self, arm: Arm) -> list[Arm]:
        """The arms that are faster beyond doubt, of the first tier if there is such a one."""
        slower = _slower(self.comparisons)
        beaten = [other for other in self.arms if (arm.name, other.name) in slower]
        return [other for other in beaten if other.tier == 1] or beaten

    def _fastest(self, first: Arm, behind: Sequence[Arm]) -> str:
        """One arm stands alone: by how much, and against which it is not shown."""
        shown = [arm for arm in behind if first in self._slower_than(arm)]
        times = [f"{words.fold(self.ratio(arm, first) or 1)} times {arm.name}" for arm in shown]
        others = _names([arm for arm in behind if arm not in shown])
        left = [f"{words.listed(others)} not settled against it"] if others else []
        return "; ".join([f"{first.name} is fastest: {', '.join(times)}", *left])

    def _below(self, behind: Sequence[Arm]) -> list[str]:
        """The arms below the first tier, together where they are slower than the same ones, with
        how much slower: ``, 1.4 to 1.5 times as long``.
        """
        together = grouped(behind, lambda arm: tuple(_names(self._slower_than(arm))))
        said = []
        for faster, arms in together.items():
            bases = [arm for arm in self.arms if arm.name in faster]
            whom = words.listed(list(faster))
            if len(faster) > 1 and set(faster) == set(_names(self.first)):
                whom = "both" if len(faster) == 2 else f"these {len(faster)}"
            ratios = [self.ratio(arm, base) for arm in arms for base in bases]
            seen = sorted(ratio for ratio in ratios if ratio is not None)
            told = dict.fromkeys(words.fold(ratio) for ratio in (*seen[:1], *seen[-1:]))
            size = f", {' to '.join(told)} times as long" if told else ""
            verb = "is" if len(arms) == 1 else "are"
            said.append(f"{words.listed(_names(arms))} {verb} slower than {whom}{size}")
        return said

    def _as_seen(self, said: str) -> str:
        """No order is shown; how far the fastest and the slowest were seen apart all the same."""
        first, *others = self.first
        times, name = max((self.ratio(arm, first) or 1, arm.name) for arm in others)
        if times <= 1 + self.comparisons[0].delta:
            return f"{said}, seen within {100 * self.comparisons[0].delta:g} %"
        return f"{said}, though {name} was seen to take {words.fold(times)} times {first.name}"


def ends(pair: ComparisonSummary) -> tuple[float, float] | None:
    """Of the ratio's 95 % interval; None where it determines nothing."""
    interval = Interval(value=pair.ratio, low=pair.low, high=pair.high)
    return (pair.low, pair.high) if words.determined(interval, pair.launches) else None


def groups(summary: Summary) -> list[Group]:
    """The summary's cells by comparison, in the summary's order."""
    cells = grouped(summary.cells, lambda cell: cell.comparison)
    pairs = grouped(
        summary.comparisons, lambda c: (c.task, c.phase, c.precision, c.device, c.batch_size)
    )
    return [_group(found, pairs.get(key, [])) for key, found in cells.items()]


def _group(cells: list[CellSummary], ours: list[ComparisonSummary]) -> Group:
    names = arm_names(cells)
    cells = sorted(cells, key=lambda cell: -(cell.samples_per_second or 0))
    able = [c for c in cells if not c.is_twin and c.status != "disturbed"]
    ranks = tiers([names[cell.arm] for cell in able], ours)
    return Group(
        arms=[
            Arm(cell=cell, name=names[cell.arm], tier=ranks.get(names[cell.arm])) for cell in cells
        ],
        comparisons=ours,
    )


def tiers(names: list[str], comparisons: list[ComparisonSummary]) -> dict[str, int]:
    """The tier of each arm that has a verdict; ``names`` come fastest first."""
    slower = _slower(comparisons)
    judged = {name for c in comparisons if c.verdict for name in (c.base, c.new)}
    ranks: dict[str, int] = {}
    for name in names:
        if name in judged:
            above = [rank for other, rank in ranks.items() if (name, other) in slower]
            ranks[name] = 1 + max(above, default=0)
    return ranks


def _slower(comparisons: Sequence[ComparisonSummary]) -> set[tuple[str, str]]:
    """Which arm is slower than which, beyond doubt."""
    slower = {(c.new, c.base) for c in comparisons if c.verdict == "SLOWER"}
    return slower | {(c.base, c.new) for c in comparisons if c.verdict == "FASTER"}


def _names(arms: Sequence[Arm]) -> list[str]:
    return [arm.name for arm in arms]
