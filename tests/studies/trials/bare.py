"""One launch of ``harness.py``, in the framework's interpreter: blocks of the suite's and of a bare
loop by hand, in turn, in one process. Prints {"suite": [...], "bare": [...]}, seconds a block.
"""

from __future__ import annotations

import json
import sys
import time
from math import ceil
from random import Random

from suite.worker import operations
from suite.worker import timed as blocks
from suite.worker.workshop import Workshop

ROUNDS, WARM = 240, 5  # of 60 the interval over 8 launches of JAX was 1.7 % to each side


def bare(workshop: Workshop, task: str, phase: str, size: int, steps: int, lead_in: int) -> float:
    """What one writes to time a step, once it is warm."""
    bench = workshop.benches[task]
    step = bench.program.train_step if phase == "train" else bench.program.predict
    timed = bench.timed(size)
    for _ in range(lead_in):
        step(timed)
    bench.program.wait()
    began = time.perf_counter()
    for _ in range(steps):
        step(timed)
    bench.program.wait()
    return time.perf_counter() - began


def main(given: str) -> None:
    """``given`` is JSON: backend, execution, phase, spec, parameters, data, size, seed, and the
    seconds of a block and of its lead-in. Both kinds have it, as the suite's blocks do: of JAX's
    rnn-tiny, with steps of 0.3 ms, a block after one step took 3 % longer than one after eight.
    """
    asked = json.loads(given)
    workshop, task, phase = Workshop(), asked["spec"], asked["phase"]
    name = operations.decode(task).name
    operations.start(workshop, asked["backend"], "cpu", "float32", asked["execution"])
    operations.build(workshop, task, asked["parameters"])
    operations.load(workshop, name, asked["data"])
    what = (workshop, name, phase, asked["size"])
    once = bare(*what, WARM, WARM) / WARM
    steps, lead_in = (max(1, ceil(asked[part] / once)) for part in ("block", "lead_in"))
    found: dict[str, list[float]] = {"suite": [], "bare": []}
    draw = Random(asked["seed"])
    for _ in range(ROUNDS):
        for kind in draw.sample(sorted(found), 2):
            if kind == "bare":
                found[kind].append(bare(*what, steps, lead_in))
            else:
                found[kind].append(blocks.block(*what, steps, lead_in).seconds)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
