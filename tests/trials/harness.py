"""What does the harness cost? The suite's blocks against a bare loop by hand in the same processes,
and how busy the coordinator is while a block runs. ``nox -s trials -- harness``, nothing beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from suite.measure import idle
from suite.measure.statistics import estimate, ratios
from suite.measure.timing import FASTEST_BLOCK_SECONDS, LEAD_IN_SECONDS
from suite.plan import Choice, Lane, lanes
from suite.store.writing import scratch
from suite.worker.discovery import arms
from suite.worker.environment import environment

ROOT = Path(__file__).parents[2]
LONG_SECONDS = 3.0  # of a block while which the coordinator is watched


def launch(lane: Lane, material: Material, phase: str, seed: int) -> list[float]:
    """The ratios suite / bare of one fresh process."""
    task = material.task
    given = {
        "backend": lane.arm.adapter.name,
        "execution": lane.execution,
        "phase": phase,
        "spec": material.spec,
        "parameters": material.initial,
        "data": material.data,
        "size": task.timed_batch_size,
        "seed": seed,
        "block": FASTEST_BLOCK_SECONDS,
        "lead_in": LEAD_IN_SECONDS,
    }
    done = subprocess.run(
        [str(lane.arm.interpreter), "-m", "tests.trials.bare", json.dumps(given)],
        env=environment("cpu"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return ratios(found["suite"], found["bare"])


def busy(lane: Lane, material: Material, files: Path) -> float:
    """The share of a core that this process, the coordinator, uses while a block runs."""
    with Crew(Roster(), files, "busy") as crew:
        crew.build(lane, material, material.initial)
        worker, name = crew.member(lane).worker, material.task.name
        worker.call("place", task=name, size=material.task.timed_batch_size)
        worker.call("block", task=name, phase="train", steps=5)  # compiles
        once = worker.call("block", task=name, phase="train", steps=5)["seconds"] / 5
        began, spent = time.perf_counter(), time.process_time()
        worker.call("block", task=name, phase="train", steps=int(LONG_SECONDS / once))
        return (time.process_time() - spent) / (time.perf_counter() - began)


def main() -> None:
    """A line per backend and phase, and one of the coordinator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="rnn-tiny")
    parser.add_argument("--launches", type=int, default=5)
    parser.add_argument("--backend", default="*", help="names, as tribench run takes them")
    options = parser.parse_args()
    found = lanes(Choice(backends=(options.backend,)), arms({}), "float32")
    with idle.kept_awake(), scratch() as files:
        material = Material(catalogue.tasks()[options.task], 0, files)
        for lane in (lane for lane in found if lane.refused is None):
            for phase in ("train", "infer"):
                every = [launch(lane, material, phase, seed) for seed in range(options.launches)]
                of = estimate(every)
                words = f"{options.task} {phase}, {lane.arm.name} {lane.execution}: suite / bare"
                print(f"{words} {of.value:.4f} ({of.low:.4f} to {of.high:.4f})", flush=True)
            share = busy(lane, material, files)
            print(f"coordinator while {lane.arm.name} runs: {100 * share:.2f} % of a core")


if __name__ == "__main__":
    main()
