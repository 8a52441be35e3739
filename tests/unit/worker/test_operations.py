"""What a worker does, called without a process around it."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from suite.worker import operations
from suite.worker.timed import block
from suite.worker.workshop import Workshop
from tasks import rnn
from tasks.base import probe_batch
from tasks.codec import encode, portable
from tasks.parameters import initial


def test_a_dropped_program_gives_its_memory_back(tmp_path):
    task, file = rnn.tiny(), tmp_path / "initial.npz"
    np.savez(file, **initial(task.model, 0))
    workshop = Workshop()
    operations.start(workshop, "numpy", "cpu", "float64", "eager")
    operations.build(workshop, encode(portable(task)), str(file))
    bench = workshop.benches[task.name]
    bench.placed = (4, bench.program.put(probe_batch(task, 4, 0)))
    bench.program.itself = bench.program  # as a compiled function refers to its program
    kept = weakref.ref(bench.program)
    del bench
    try:
        block(workshop, task.name, "train", size=4, steps=1)
        operations.drop(workshop, task.name)
    finally:
        gc.unfreeze()
    assert kept() is None
