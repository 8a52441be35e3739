"""Peak memory of every cell, in a process of its own: not every framework can reset its peak. On a
GPU alone and without preallocation, so that what is then taken of the device is the process's:
within a container NVML does not know which process is ours. Allocators give nothing back before the
end. There programs come from the launches' cache, so that what XLA took to try kernels is not in
the figures, nor the minutes that this takes in the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from suite.engine.inputs import TaskInputs
from suite.engine.job import Job, JobGroup, Sink
from suite.engine.pool import WorkerPool
from suite.measure import gpu
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.records.schema import Cell, MemoryRecord

STEPS = 3  # the first compiles; allocators have settled by the third


def groups(
    cells: Iterable[tuple[Configuration, Cell]],
    inputs_of: Mapping[str, TaskInputs],
    failed: set[Cell],
) -> tuple[JobGroup, ...]:
    """A job group and a process per cell; what could not be timed is not tried again."""

    def group(configuration: Configuration, cell: Cell) -> JobGroup:
        task_inputs = inputs_of[cell.task]

        def run(pool: WorkerPool, sink: Sink) -> None:
            if cell in failed:
                return
            before = gpu.used(cell.device)
            with sink.failures("memory", pool, configuration, cell):
                program = pool.program(configuration, task_inputs, task_inputs.initial)
                program.block(cell.phase, cell.batch_size, STEPS)
                peak = program.peak()
                after = gpu.used(cell.device)
                taken = None if before is None or after is None else after - before
                sink.emit(MemoryRecord, cell=cell, device=taken, **peak._asdict())

        job = Job(
            id=f"memory/{cell.id}",
            label=f"memory of {cell.label}",
            cost_seconds=estimate.memory(task_inputs.task, cell),
            run=run,
        )
        return JobGroup(suffix=f"memory-{cell.task}-{cell.phase}", jobs=(job,))

    return tuple(group(*each) for each in cells)
