"""``tribench doctor``: self-tests, and a look at the machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from suite.commands.options import Device, Json, Pythons, Quiet, console, interpreters
from suite.doctor import machine
from suite.doctor.answer import DOCTOR_SCHEMA
from suite.doctor.examine import examine
from suite.doctor.findings import findings
from suite.engine.progress import reporter
from suite.errors import FAILED
from suite.files import keep_logs, scratch
from suite.machine import idle
from suite.plan.options import Choice, UsageError, check
from suite.report.terminal.doctor import conclusion, show_answers
from suite.store.lock import Lock
from suite.worker.installations import discover


def command(
    launches: Annotated[
        int,
        typer.Option(min=0, help="Launches of A/A, a framework beside itself; 0 leaves A/A out."),
    ] = 5,
    device: Device = "cpu",
    python: Pythons = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check that tribench measures right here, and find what spoils measurements."""
    if launches == 1:
        raise UsageError("--launches (=1) must be 0 or at least 2: one tells nothing of others")
    check(Choice(device=device), {})
    with Lock() as lock:
        lock.tell(Path("tribench doctor"))
        looked = findings(machine.read())
        found = discover(interpreters(python), device)
        with idle.kept_awake(), scratch() as files, reporter(quiet) as progress:
            seen = examine(found, launches, files, progress, device)
            if seen.logs is not None:
                keep_logs(seen.logs)
    sections = {"Self-tests": seen.tests, "Machine": looked, "Frameworks": seen.frameworks}
    if as_json:
        named = {
            title.lower().replace("-", "_"): list(map(asdict, answers))
            for title, answers in sections.items()
        }
        print(json.dumps({"schema": DOCTOR_SCHEMA} | named))
    else:
        show_answers(sections, console())
        print(f"\n{conclusion(sections)}")
    raise typer.Exit(FAILED if any(test.verdict == "fail" for test in seen.tests) else 0)
