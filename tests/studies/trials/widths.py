"""How narrow do intervals get in the time that people give? A run per comparison of the three
backends: 5 minutes for a tiny task, 10 for a small one, starts and parity included.
``nox -s trials -- widths``; two hours on two cores, nothing beside it.

Runs that are there count too, so that the trial can be stopped and gone on with.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from suite.plan import catalogue
from suite.plan.options import PHASES
from tests.studies.trials.kept import TRIALS, read, run

MINUTES = {"tiny": 5, "small": 10}
MOST_LAUNCHES = 40  # more than fit


def table(into: Path) -> str:
    """Markdown: the half-width of every ratio, in percent of it, in the last run that has it."""
    lines = ["| task | phase | arms | ratio | ± | launches |", "|---|---|---|---:|---:|---:|"]
    rows: dict[str, str] = {}
    for summary in read(into, "summary.json"):
        for c in summary["comparisons"]:
            half = 100 * (c["high"] - c["low"]) / 2 / c["ratio"]
            where = f"{c['task']} | {c['phase']} | {c['new']} / {c['base']}"
            rows[where] = f"| {where} | {c['ratio']:.2f} | {half:.1f} % | {c['launches']} |"
    return "\n".join([*lines, *rows.values()]) + "\n"


def main() -> None:
    """Make the runs that are missing; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [n for n in catalogue.tasks() if n.rpartition("-")[2] in MINUTES]
    parser.add_argument("--task", action="append", choices=names)
    parser.add_argument("--output", type=Path, default=TRIALS / "widths")
    options = parser.parse_args()
    done = {
        (manifest["cells"][0]["task"], manifest["cells"][0]["phase"])
        for manifest in read(options.output, "manifest.json")
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
