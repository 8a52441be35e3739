"""Are our adapters as fast as the same models as users otherwise write them? A run per small task
and framework with the adapter and its peers (tests/studies/peers) as arms. ``nox -s peers-trial``;
90 minutes on two cores, nothing beside it; of each run's six, parity takes two where JAX compiles.

Runs that are there count too, so that the trial can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.studies.trials.kept import ROOT, TRIALS, read, run

PLUGIN = ROOT / "tests" / "studies" / "peers"
ADAPTERS = {"torch", "jax", "tensorflow"}
TASKS = ("cnn-small", "rnn-small", "gru-small", "transformer-small", "gpt-small")
ASKED = ("gpt-tiny",)  # where they are asked for only
LEAST, LEAST_HIGH, LEAST_KERAS = 0.97, 1.0, 1.15


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Time of the peer / time of ours, with its 95 % interval: how many times as fast ours is."""

    task: str
    phase: str
    ours: str
    peer: str
    value: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Is ours as fast, as far as is known?"""
        return self.value >= LEAST and self.high >= LEAST_HIGH


def command(task: str, arms: dict[str, str], minutes: float) -> tuple[str, ...]:
    """A run of these arms: {backend: interpreter}."""
    return (
        *("run", "--task", task, "--backend", ",".join(arms), "--seeds", "0"),
        *("--launches", "12", "--time-budget", f"{minutes:g}"),
        *(f"--python={name}={path}" for name, path in arms.items()),
    )


def speeds(summary: dict[str, Any]) -> Iterator[Speed]:
    """What a run says of its adapter beside each peer."""
    for found in summary["comparisons"]:
        base, new = found["base"], found["new"]
        if (base in ADAPTERS) != (new in ADAPTERS):
            value, low, high = found["ratio"], found["low"], found["high"]
            if new in ADAPTERS:
                value, low, high = 1 / value, 1 / high, 1 / low
            yield Speed(
                task=found["task"],
                phase=found["phase"],
                ours=new if new in ADAPTERS else base,
                peer=base if new in ADAPTERS else new,
                value=value,
                low=low,
                high=high,
            )


def table(into: Path) -> str:
    """Markdown: every adapter beside its fastest peer, and all of them beside Keras."""
    groups: dict[tuple[str, str, str], list[Speed]] = defaultdict(list)
    for summary in read(into, "summary.json"):
        for speed in speeds(summary):
            groups[speed.task, speed.phase, speed.ours].append(speed)
    lines = [
        "| task | phase | adapter | fastest peer | speed, adapter / peer (95 %) | as fast |",
        "|---|---|---|---|---:|---|",
    ]
    for (task, phase, ours), found in sorted(groups.items()):
        least = min(found, key=lambda speed: speed.value)
        numbers = f"{least.value:.2f} ({least.low:.2f} to {least.high:.2f})"
        said = "yes" if least.holds else "no"
        lines.append(f"| {task} | {phase} | {ours} | {least.peer} | {numbers} | {said} |")
    keras = [s.value for found in groups.values() for s in found if s.peer.startswith("keras-")]
    if keras:
        mean = math.exp(sum(map(math.log, keras)) / len(keras))
        lines += [
            "",
            f"Beside Keras 3, geometric mean of {len(keras)}: {mean:.2f} (wanted: {LEAST_KERAS})",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the runs that are missing; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", default=[], help="NAME=PATH, ours first")
    parser.add_argument("--task", action="append", choices=(*TASKS, *ASKED))
    parser.add_argument("--minutes", type=float, default=6, help="for each run")
    parser.add_argument("--output", type=Path, default=TRIALS / "peers")
    options = parser.parse_args()
    together: dict[str, dict[str, str]] = defaultdict(dict)  # arms of one interpreter
    for given in options.python:
        name, _, path = given.partition("=")
        together[path][name] = path
    done = {
        (manifest["cells"][0]["task"], cell["backend"])
        for manifest in read(options.output, "manifest.json")
        for cell in manifest["cells"]
    }
    for task in options.task or TASKS:
        for arms in together.values():
            if (task, next(iter(arms))) not in done:
                print(f"{task}: {', '.join(arms)}", file=sys.stderr, flush=True)
                run(command(task, arms, options.minutes), options.output, PLUGIN)
                (options.output / "table.md").write_text(table(options.output))
    print(table(options.output))


if __name__ == "__main__":
    main()
