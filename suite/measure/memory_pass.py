"""Peak memory of every cell, in a process of its own: not every framework can reset its peak."""

from __future__ import annotations

from collections.abc import Iterable

from suite.crew import Crew
from suite.material import Material
from suite.plan import Lane
from suite.store.schema import Cell, FailureRecord, MemoryRecord
from suite.work import FAILURES, Sink, Track, Unit, status_of

COST_SECONDS = 4.0
STEPS = 3  # the first compiles; allocators have settled by the third


def tracks(cells: Iterable[tuple[Lane, Cell]], materials: dict[str, Material]) -> tuple[Track, ...]:
    """A track and a process per cell."""
    return tuple(_track(lane, cell, materials[cell.task]) for lane, cell in cells)


def _track(lane: Lane, cell: Cell, material: Material) -> Track:
    def do(crew: Crew, sink: Sink) -> None:
        try:
            crew.build(lane, material, material.initial)
            worker = crew.member(lane).worker
            worker.call("place", task=cell.task, size=cell.batch_size)
            worker.call("block", task=cell.task, phase=cell.phase, steps=STEPS)
            found = worker.call("peak", task=cell.task)
        except FAILURES as error:
            crew.lose(lane)
            sink.emit(
                FailureRecord,
                stage="memory",
                status=status_of(error),
                reason=str(error),
                cell=cell,
            )
        else:
            sink.emit(MemoryRecord, cell=cell, **found)

    name = "/".join(map(str, ("memory", *cell.comparison, *cell.arm)))
    what = f"memory of {cell.task} {cell.phase}, {cell.backend} {cell.execution}"
    unit = Unit(name=name, what=what, cost_seconds=COST_SECONDS, do=do)
    return Track(suffix=f"memory-{cell.task}-{cell.phase}", units=(unit,))
