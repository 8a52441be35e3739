"""What does the harness cost? The suite's blocks against a bare loop by hand in the same processes,
and how busy the coordinator is while a block runs. ``nox -s trials -- harness``, nothing beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from functools import partial
from pathlib import Path

from suite.analysis.statistics import estimate, ratios
from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.files import scratch
from suite.machine import idle
from suite.measure.timing import FASTEST_BLOCK_SECONDS, LEAD_IN_SECONDS
from suite.plan import catalogue
from suite.plan.configurations import Configuration, configurations
from suite.plan.options import Choice
from suite.worker.environment import environment
from suite.worker.installations import discover

ROOT = Path(__file__).parents[3]
LONG_SECONDS = 3.0  # of a block while which the coordinator is watched


def launch(
    configuration: Configuration, task_inputs: TaskInputs, phase: str, seed: int
) -> list[float]:
    """The ratios suite / bare of one fresh process."""
    task = task_inputs.task
    given = {
        "backend": configuration.adapter.name,
        "execution": configuration.execution,
        "phase": phase,
        "spec": task_inputs.spec,
        "parameters": task_inputs.initial,
        "data": task_inputs.data,
        "size": task.timed_batch_size,
        "seed": seed,
        "block": FASTEST_BLOCK_SECONDS,
        "lead_in": LEAD_IN_SECONDS,
    }
    done = subprocess.run(
        [
            str(configuration.installation.interpreter),
            "-m",
            "tests.studies.trials.bare",
            json.dumps(given),
        ],
        env=environment("cpu"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return ratios(found["suite"], found["bare"])


def busy(configuration: Configuration, task_inputs: TaskInputs, files: Path) -> float:
    """The share of a core that this process, the coordinator, uses while a block runs."""
    with WorkerPool(LiveWorkers(), files, "busy") as pool:
        program = pool.program(configuration, task_inputs, task_inputs.initial)
        block = partial(program.block, "train", task_inputs.task.timed_batch_size)
        block(5)  # compiles
        once = block(5).seconds / 5
        began, spent = time.perf_counter(), time.process_time()
        block(int(LONG_SECONDS / once))
        return (time.process_time() - spent) / (time.perf_counter() - began)


def main() -> None:
    """A line per backend and phase, and one of the coordinator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="rnn-tiny")
    parser.add_argument("--launches", type=int, default=5)
    parser.add_argument("--backend", default="*", help="names, as tribench run takes them")
    options = parser.parse_args()
    found = configurations(Choice(backends=(options.backend,)), discover({}), "float32")
    with idle.kept_awake(), scratch() as files:
        task_inputs = TaskInputs(catalogue.tasks()[options.task], 0, files)
        for configuration in (
            configuration for configuration in found if configuration.refused is None
        ):
            for phase in ("train", "infer"):
                every = [
                    launch(configuration, task_inputs, phase, seed)
                    for seed in range(options.launches)
                ]
                of = estimate(every)
                what = f"{options.task} {phase}, {configuration.backend}"
                words = f"{what} {configuration.execution}: suite / bare"
                print(f"{words} {of.value:.4f} ({of.low:.4f} to {of.high:.4f})", flush=True)
            share = busy(configuration, task_inputs, files)
            print(f"coordinator while {configuration.backend} runs: {100 * share:.2f} % of a core")


if __name__ == "__main__":
    main()
