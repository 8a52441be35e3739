"""How narrow do intervals get in the time that people give? A run per comparison of the three
backends: 5 minutes for a tiny task, 10 for a small one, starts and parity included.
``nox -s trials -- widths``; two hours on two cores, nothing beside it.

Runs that are there count too, so that the trial can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from suite import catalogue
from suite.plan import PHASES
from tests.trials.kept import TRIALS, run

MINUTES = {"tiny": 5, "small": 10}
MOST_LAUNCHES = 12


def table(into: Path) -> str:
    """Markdown: the half-width of every ratio, in percent of it."""
    lines = ["| task | phase | arms | ratio | ± | launches |", "|---|---|---|---:|---:|---:|"]
    for file in sorted(into.glob("*/summary.json")):
        for c in json.loads(file.read_text())["comparisons"]:
            half = 100 * (c["high"] - c["low"]) / 2 / c["ratio"]
            arms = f"{c['new']} / {c['base']}"
            told = (
                c["task"],
                c["phase"],
                arms,
                f"{c['ratio']:.2f}",
                f"{half:.1f} %",
                c["launches"],
            )
            lines.append(f"| {' | '.join(map(str, told))} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the runs that are missing; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", action="append")
    parser.add_argument("--output", type=Path, default=TRIALS / "widths")
    options = parser.parse_args()
    names = [n for n in catalogue.tasks() if n.rpartition("-")[2] in MINUTES]
    done = {
        (manifest["cells"][0]["task"], manifest["cells"][0]["phase"])
        for file in options.output.glob("*/manifest.json")
        for manifest in [json.loads(file.read_text())]
    }
    for task in options.task or names:
        for phase in PHASES:
            if (task, phase) in done:
                continue
            print(f"{task} {phase}", file=sys.stderr, flush=True)
            minutes = MINUTES[task.rpartition("-")[2]]
            command = (
                *("run", "--task", task, "--phase", phase, "--seeds", "0"),
                *("--launches", str(MOST_LAUNCHES), "--time-budget", str(minutes)),
            )
            run(command, options.output)
            (options.output / "table.md").write_text(table(options.output))
    print(table(options.output))


if __name__ == "__main__":
    main()
