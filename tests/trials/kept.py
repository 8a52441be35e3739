"""Runs that a trial makes with the real command line and keeps: their records, not their pages."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
TRIALS = ROOT / "results" / "trials"
KEPT = ("manifest.json", "environment.json", "records.jsonl", "summary.json")


def run(command: Sequence[str], into: Path, *plugins: Path) -> Path:
    """One run of fresh processes with adapters from these folders too; where its records are. The
    trial ends if the run fails.
    """
    path = os.pathsep.join(map(str, (ROOT, *plugins)))
    with tempfile.TemporaryDirectory() as made:
        done = subprocess.run(
            [sys.executable, "-m", "suite", *command, "--quiet", "--output", made],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            sys.exit(done.returncode)
        (folder,) = Path(made).iterdir()
        place = into / folder.name
        place.mkdir(parents=True)
        for name in KEPT:
            (place / name).write_bytes((folder / name).read_bytes())
    return place
