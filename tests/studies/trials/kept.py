"""Runs that a study makes with the real command line and keeps: their summaries, which its table is
made from. Their records, half a megabyte a run and more, stay only of a run that did not end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
TRIALS = ROOT / "results" / "studies"
KEPT = ("manifest.json", "environment.json", "summary.json")
OF_A_BROKEN_RUN = (*KEPT, "records.jsonl")


def run(command: Sequence[str], into: Path, *plugins: Path) -> None:
    """One run of fresh processes with adapters from these folders too. If it fails the study ends,
    and what it left is kept all the same: to leave it out would be a choice.
    """
    path = os.pathsep.join(map(str, (ROOT, *plugins)))
    with tempfile.TemporaryDirectory() as made:
        done = subprocess.run(
            [sys.executable, "-m", "suite", *command, "--quiet", "--output", made],
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        for folder in Path(made).iterdir():
            place = into / folder.name
            place.mkdir(parents=True)
            names = OF_A_BROKEN_RUN if done.returncode else KEPT
            for file in filter(Path.exists, map(folder.joinpath, names)):
                (place / file.name).write_bytes(file.read_bytes())
    if done.returncode:
        sys.exit(done.returncode)


def read(into: Path, name: str) -> list[dict[str, Any]]:
    """That file of every kept run that came to its end, oldest first."""
    ended = sorted(file.parent for file in into.glob("*/summary.json"))
    return [json.loads((folder / name).read_text()) for folder in ended]
