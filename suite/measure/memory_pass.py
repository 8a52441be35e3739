"""Peak memory of every cell, in a process of its own: not every framework can reset its peak. On a
GPU alone and without preallocation, so that what is then taken of the device is the process's:
within a container NVML does not know which process is ours. Allocators give nothing back before the
end. There programs come from the launches' cache, so that what XLA took to try kernels is not in
the figures, nor the minutes that this takes in the time.
"""

from __future__ import annotations

from collections.abc import Iterable

from suite import cost
from suite.crew import Crew
from suite.material import Material
from suite.measure import gpu
from suite.plan import Lane
from suite.store.schema import Cell, FailureRecord, MemoryRecord
from suite.work import FAILURES, Sink, Track, Unit, status_of

STEPS = 3  # the first compiles; allocators have settled by the third


def tracks(
    cells: Iterable[tuple[Lane, Cell]], materials: dict[str, Material], failed: set[Cell]
) -> tuple[Track, ...]:
    """A track and a process per cell; what could not be timed is not tried again."""
    return tuple(_track(lane, cell, materials[cell.task], failed) for lane, cell in cells)


def _track(lane: Lane, cell: Cell, material: Material, failed: set[Cell]) -> Track:
    def do(crew: Crew, sink: Sink) -> None:
        if cell in failed:
            return
        before = gpu.used(cell.device)
        try:
            crew.build(lane, material, material.initial)
            worker = crew.member(lane).worker
            worker.call("place", task=cell.task, size=cell.batch_size)
            worker.call("block", task=cell.task, phase=cell.phase, steps=STEPS)
            found = worker.call("peak", task=cell.task)
            after = gpu.used(cell.device)
            taken = None if before is None or after is None else after - before
            sink.emit(MemoryRecord, cell=cell, device=taken, **found)
        except FAILURES as error:
            crew.lose(lane)
            sink.emit(
                FailureRecord,
                stage="memory",
                status=status_of(error),
                reason=str(error),
                cell=cell,
            )

    name = "/".join(map(str, ("memory", *cell.comparison, *cell.arm)))
    what = f"memory of {cell.task} {cell.phase}, {cell.backend} {cell.execution}"
    unit = Unit(
        name=name,
        what=what,
        cost_seconds=cost.memory(material.task, cell.phase, cell.batch_size),
        do=do,
    )
    return Track(suffix=f"memory-{cell.task}-{cell.phase}", units=(unit,))
