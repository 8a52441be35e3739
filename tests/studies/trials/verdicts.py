"""Do the verdicts hold on this machine? Runs of the arms A, A again, A slowed by 5 % and by 10 %,
and what each is called. ``nox -s trials -- verdicts``; an hour for twenty runs on two cores.

A run is kept as its summary. Runs that are there count too, so that the trial can be stopped and
gone on with.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.studies.trials.kept import ROOT, TRIALS, read, run

PLUGIN = ROOT / "tests" / "plugins" / "slowed"
ARMS = ("torch@aa", "torch-5-slower", "torch-10-slower")
COMMAND = (
    *("run", "--profile", "standard", "--execution", "eager", "--task", "cnn-tiny"),
    *(
        "--phase",
        "train",
        "--batch-size",
        "128",
        "--backend",
        "torch,torch-?-slower,torch-??-slower",
    ),
    *("--aa", "torch", "--seeds", "0", "--time-budget", "4"),
)


def tally(into: Path) -> str:
    """A Markdown table: how often each arm was called what, and its ratios."""
    counts = {arm: Counter[str]() for arm in ARMS}
    ratios: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    for summary in read(into, "summary.json"):
        for found in summary["comparisons"]:
            if found["base"] == "torch" and found["new"] in ARMS:
                counts[found["new"]][found["verdict"]] += 1
                half = (found["high"] - found["low"]) / 2
                ratios[found["new"]].append((found["ratio"], half))
    verdicts = ("FASTER", "EQUIVALENT", "SLOWER", "INCONCLUSIVE")
    lines = [
        f"| arm | {' | '.join(verdicts)} | ratio to torch, least to most | widest ± |",
        f"|---|{'---:|' * 6}",
    ]
    for arm, called in counts.items():
        values = [ratio for ratio, _ in ratios[arm]] or [float("nan")]
        widest = max((half for _, half in ratios[arm]), default=float("nan"))
        times = " | ".join(str(called[verdict]) for verdict in verdicts)
        lines.append(
            f"| {arm} | {times} | {min(values):.3f} to {max(values):.3f} | {100 * widest:.1f} % |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run until there are as many as asked for; then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--output", type=Path, default=TRIALS / "verdicts")
    options = parser.parse_args()
    while (have := len(read(options.output, "summary.json"))) < options.runs:
        print(f"run {have + 1} of {options.runs}", file=sys.stderr, flush=True)
        run(COMMAND, options.output, PLUGIN)
        (options.output / "table.md").write_text(tally(options.output))
    print(tally(options.output))


if __name__ == "__main__":
    main()
