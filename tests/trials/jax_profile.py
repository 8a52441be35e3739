"""Where a training step of a JAX program spends its time, beside Keras's, by XLA's instructions.

PYTHONPATH=.:tests/peers .nox/peers-jax/bin/python -m tests.trials.jax_profile cnn-small

In the environment that it is started in; a run's is suite.worker.environment.settings.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import jax
from tribench_peers.keras_jax import Backend as Keras

from backends.base import Program
from backends.jax import Backend
from suite import catalogue
from tasks.base import probe_batch
from tasks.parameters import initial

STEPS, TURNS = 4, 12
STEP = "a step, by the clock"


def built(backend: type, name: str) -> tuple[Program, object]:
    """The program, warm, and a batch on the device."""
    task = catalogue.tasks()[name]
    program = backend(device="cpu", precision="float32").build(task, initial(task.model, 0))
    batch = program.put(probe_batch(task, task.timed_batch_size, 0))
    for _ in range(3):
        program.train_step(batch)
    program.wait()
    return program, batch


def spent(program: Program, batch: object) -> Counter[str]:
    """Milliseconds of a step by the name of XLA's instruction, added up over threads."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            began = time.perf_counter()
            for _ in range(STEPS):
                program.train_step(batch)
            program.wait()
            seconds = time.perf_counter() - began
        (file,) = Path(folder).rglob("*.trace.json.gz")
        events = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    times = Counter({STEP: 1000 * seconds / STEPS})
    for event in events:
        if "hlo_op" in event.get("args", {}):
            times[event["args"]["hlo_op"]] += event["dur"] / 1000 / STEPS
    return times


def main() -> None:
    """A row per kind of instruction: what the adapter's and the peer's take, of all turns."""
    programs = {"adapter": built(Backend, sys.argv[1]), "keras-jax": built(Keras, sys.argv[1])}
    found = {name: Counter[str]() for name in programs}
    for _ in range(TURNS):
        for name, program in programs.items():
            for instruction, ms in spent(*program).items():
                found[name][re.sub(r"[.\d]+$", "", instruction)] += ms / TURNS
    print("| XLA's instructions | adapter, ms | keras-jax, ms |\n|---|---:|---:|")
    for kind, _ in sum(found.values(), Counter()).most_common(14):
        print(f"| {kind} | {found['adapter'][kind]:.1f} | {found['keras-jax'][kind]:.1f} |")


if __name__ == "__main__":
    main()
