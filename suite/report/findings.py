"""What a run found, comparison by comparison: who is in which tier, and a headline in words.

Tiers instead of a winner: an arm stands one tier below the lowest arm that is decisively faster
than it, so arms that no verdict tells apart from the best share the first tier.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from suite.report import words
from suite.store.schema import CellSummary, ComparisonSummary, Interval, Summary

Key = tuple[str, str, str, str, int]  # task, phase, precision, device, batch size


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
    def headline(self) -> str:
        """Who is faster, or that it can't be said."""
        ranked = [arm for arm in self.arms if arm.tier is not None]
        names = words.listed([arm.name for arm in self.first])
        if len(ranked) < 2:
            return "No ranking: fewer than two arms can be compared"
        if len(self.first) == 1:
            return f"{names} is fastest"
        pairs = [c for c in self.comparisons if {c.base, c.new} <= {a.name for a in self.first}]
        if pairs and all(pair.verdict == "EQUIVALENT" for pair in pairs):
            return f"{names} are equally fast, within {100 * pairs[0].delta:g} %"
        return f"{names}: no difference was shown"

    def time_ratio(self, arm: Arm) -> Interval | None:
        """How many times as long ``arm`` takes as the fastest of the first tier."""
        for found in self.comparisons if self.first else []:
            if (found.base, found.new) == (self.first[0].name, arm.name):
                return Interval(value=found.ratio, low=found.low, high=found.high)
            if (found.new, found.base) == (self.first[0].name, arm.name):
                return Interval(value=1 / found.ratio, low=1 / found.high, high=1 / found.low)
        return None


def groups(summary: Summary) -> list[Group]:
    """The summary's cells by comparison, in the summary's order."""
    cells: dict[Key, list[CellSummary]] = defaultdict(list)
    comparisons: dict[Key, list[ComparisonSummary]] = defaultdict(list)
    for cell in summary.cells:
        cells[cell.comparison].append(cell)
    for comparison in summary.comparisons:
        comparisons[_key(comparison)].append(comparison)
    return [_group(found, comparisons[key]) for key, found in cells.items()]


def _group(cells: list[CellSummary], ours: list[ComparisonSummary]) -> Group:
    called = {name for c in ours for name in (c.base, c.new)}
    cells = sorted(cells, key=lambda cell: -(cell.samples_per_second or 0))
    named = [(cell, _name(cell, cells, called)) for cell in cells]
    ranks = tiers([name for cell, name in named if not cell.is_twin], ours)
    return Group(
        arms=[Arm(cell=cell, name=name, tier=ranks.get(name)) for cell, name in named],
        comparisons=ours,
    )


def tiers(names: list[str], comparisons: list[ComparisonSummary]) -> dict[str, int]:
    """The tier of each arm that has a verdict; ``names`` come fastest first."""
    slower = {(c.new, c.base) for c in comparisons if c.verdict == "SLOWER"}
    slower |= {(c.base, c.new) for c in comparisons if c.verdict == "FASTER"}
    judged = {name for c in comparisons if c.verdict for name in (c.base, c.new)}
    ranks: dict[str, int] = {}
    for name in names:
        if name in judged:
            above = [rank for other, rank in ranks.items() if (name, other) in slower]
            ranks[name] = 1 + max(above, default=0)
    return ranks


def _key(comparison: ComparisonSummary) -> Key:
    c = comparison
    return (c.task, c.phase, c.precision, c.device, c.batch_size)


def _name(cell: CellSummary, cells: list[CellSummary], called: set[str]) -> str:
    """What the comparisons call a cell; where they don't, the same rule."""
    for name in called:
        if name.startswith(cell.backend):
            rest = name.removeprefix(cell.backend).strip(" -/:()")
            if rest == cell.execution:
                return name
    several = sum(cell.backend == other.backend for other in cells) > 1
    if several and (cell.backend not in called or cell.status != "ok"):
        return f"{cell.backend} {cell.execution}"
    return cell.backend
