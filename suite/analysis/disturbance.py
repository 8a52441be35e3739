"""Which cells were disturbed, and how much: what the blocks of a run say of the machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from suite.records.schema import BlockRecord, Cell

DISTURBED = "disturbed, measured again"
QUIET_PRESSURE = 0.25  # of the time may some process wait for a core; on a quiet machine 0.05-0.08
QUIET_STEAL = 0.05  # of the time may the host take away
HALF = 0.5

Noise = Mapping[str, Any]  # as suite.records.schema.Noise


class Disturbance:
    """The blocks by cell. Beside some of them something else ran: beside void ones, which were
    measured again, and beside some that count, because their set had been measured again often
    enough.
    """

    def __init__(self, blocks: Iterable[BlockRecord]) -> None:
        self.blocks: dict[Cell, list[BlockRecord]] = defaultdict(list)
        for block in blocks:
            self.blocks[block.cell].append(block)

    def met(self, cell: Cell) -> bool:
        """Was any of its blocks disturbed, whether it counts or not?"""
        return bool(self._disturbed(cell))

    def decides(self, cell: Cell) -> bool:
        """Do disturbed rounds decide what its time comes out as? They do a launch's median where
        half or more of its rounds are disturbed. Launches of which fewer than half are such widen
        the interval by more than they move it: one of n moves the mean by its standard error.
        """
        launches: dict[int, list[bool]] = defaultdict(list)
        for block in self._counted(cell):
            launches[block.launch].append(block.disturbed)
        spoilt = [fmean(rounds) >= HALF for rounds in launches.values()]
        return bool(spoilt) and fmean(spoilt) >= HALF

    def void(self, cell: Cell) -> list[str]:
        """Why each of its blocks that does not count does not."""
        return [block.void for block in self.blocks.get(cell, ()) if block.void is not None]

    def reason(self, cell: Cell) -> str | None:
        """What to know of a cell of which disturbed blocks count."""
        counted = self._counted(cell)
        kept = sum(block.disturbed for block in counted)
        if not kept:
            return None
        return self.sentence([cell], f"{kept} of {len(counted)} blocks that count")

    def note(self, cells: Sequence[Cell], disturbed: int) -> str | None:
        """The run in a sentence, ``disturbed`` cells of which have that status; None where nothing
        else ran.
        """
        timed = [cell for cell in cells if self._counted(cell) or self.met(cell)]
        met = [cell for cell in timed if self.met(cell)]
        if not met:
            return None
        if disturbed:
            rest = f"{disturbed} of them stayed so when measured again, and got no rank"
        elif any(block.disturbed for cell in met for block in self._counted(cell)):
            rest = "less than half of what counts was so"
        else:
            rest = "what counts was measured again when it was quiet"
        said = self.sentence(met, f"{len(met)} of {len(timed)} cells")
        return f"{said[0].upper()}{said[1:]}: {rest}."

    def sentence(self, cells: Sequence[Cell], what: str) -> str:
        """What was the matter beside ``what`` of these cells."""
        pressure = max((self._most(cell, "pressure") for cell in cells), default=0.0)
        steal = max((self._most(cell, "steal") for cell in cells), default=0.0)
        if pressure <= QUIET_PRESSURE and steal <= QUIET_STEAL:
            return f"the cores or the GPU were slower than usual beside {what}"
        share = min(1.0, max(pressure, steal))
        return f"something else ran beside {what}, up to {100 * share:.0f} % of the time"

    def _counted(self, cell: Cell) -> list[BlockRecord]:
        return [block for block in self.blocks.get(cell, ()) if block.void is None]

    def _disturbed(self, cell: Cell) -> list[BlockRecord]:
        return [
            block
            for block in self.blocks.get(cell, ())
            if block.void == DISTURBED or (block.void is None and block.disturbed)
        ]

    def _most(self, cell: Cell, name: str) -> float:
        """The most of a share that one of the cell's launches had beside its disturbed blocks."""
        launches = defaultdict(list)
        for block in self._disturbed(cell):
            launches[block.launch].append((block.seconds, dict(block.noise)))
        return max((mean(blocks, name) for blocks in launches.values()), default=0.0)


def mean(blocks: Sequence[tuple[float, Noise]], name: str) -> float:
    """Of one of the machine's shares beside these blocks, by their seconds; 0 if none is known."""
    known = [(seconds, noise.get(name)) for seconds, noise in blocks]
    total = sum(seconds for seconds, value in known if value is not None)
    return sum(s * value for s, value in known if value is not None) / total if total > 0 else 0.0
