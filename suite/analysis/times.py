"""What the blocks of a run said so far: seconds of a step by cell, launch and round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import inf, log

from suite.analysis.statistics import Estimate, estimate, ratios
from suite.records.schema import BlockRecord, Cell, Record

Steps = dict[int, dict[int, float]]  # launch: {round: seconds per step}


class Times:
    """Void blocks do not count."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.steps: dict[Cell, Steps] = defaultdict(lambda: defaultdict(dict))
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Take in a record, if it is of a block that counts."""
        if isinstance(record, BlockRecord) and record.void is None:
            launch = self.steps[record.cell][record.launch]
            launch[record.round] = record.seconds / record.steps

    def of(self, cell: Cell) -> Steps:
        """Empty if it was not measured."""
        return self.steps.get(cell, {})

    def typical(self, cell: Cell) -> Estimate | None:
        """The cell's estimate; None if it was not measured."""
        steps = self.of(cell)
        return estimate([list(rounds.values()) for rounds in steps.values()]) if steps else None

    def paired(self, base: Cell, new: Cell) -> list[list[float]]:
        """new / base by launch, of the rounds that both have."""
        mine, theirs, launches = self.of(new), self.of(base), []
        for launch in sorted(mine.keys() & theirs.keys()):
            found, other = mine[launch], theirs[launch]
            rounds = sorted(found.keys() & other.keys())
            if rounds:
                launches.append(ratios([found[n] for n in rounds], [other[n] for n in rounds]))
        return launches

    def half_width(self, cells: Sequence[Cell]) -> float:
        """Half the widest 95 % interval of a ratio between these, on the logarithm; infinite where
        two launches are not there yet, 0 if there is nothing to compare.
        """
        widest = 0.0
        for base, new in combinations([c for c in cells if not c.is_twin], 2):
            launches = self.paired(base, new)
            if len(launches) < 2:
                return inf
            found = estimate(launches)
            widest = max(widest, log(found.high / found.low) / 2)
        return widest
