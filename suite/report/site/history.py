"""How times, memory and scores went over many runs, as a page that loads a task at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import exp
from typing import Any

from suite.analysis import words
from suite.analysis.digest import Digest
from suite.analysis.scores import SCORES
from suite.analysis.unpaired import FLOOR
from suite.report.page.page import SITE, frame, templates
from suite.report.page.snippets import embedded
from suite.report.page.styles import styles
from tasks.base import Score

SCRIPTS = ("text", "theme", "figures", "state", "load", "history")
CELL = ("phase", "backend", "execution", "precision", "device", "batch_size")
BAND = round(exp(1.96 * FLOOR) - 1, 3)  # how far unchanged runs may lie apart, relative


def history_pages(runs: Sequence[tuple[Digest, int]], plotly: str) -> Iterator[tuple[str, str]]:
    """Names and texts of the page and of its data, a file a task; ``runs`` are oldest first, each
    with the number of its machine.
    """
    tasks = sorted({task for run, _ in runs for task in run.timed_tasks})
    files = {task: f"history/{sha256(task.encode()).hexdigest()[:12]}.js" for task in tasks}
    arms = sorted({(c.backend, c.execution) for run, _ in runs for c in run.cells})
    machines = {number: words.machine(run.environment) for run, number in runs}
    measured: dict[str, set[int]] = {task: set() for task in tasks}
    for run, number in runs:
        for task in run.timed_tasks:
            measured[task].add(number)
    data = {
        "runs": [
            {
                "id": run.id,
                "name": run.name,
                "created": run.created,
                "machine": number,
                "versions": run.environment.backends,
                "system": run.environment.system,
            }
            for run, number in runs
        ],
        "files": files,
        "machines": machines,
        "measured": {task: sorted(numbers) for task, numbers in measured.items()},
        "styles": {" ".join(arm): vars(style) for arm, style in styles(arms).items()},
        "band": BAND,
    }
    newest = list(dict.fromkeys(number for _, number in reversed(runs)))
    page = templates().get_template("history.html")
    yield (
        "history.html",
        page.render(
            data=embedded(data),
            tasks=tasks,
            machines=[(number, machines[number]) for number in newest],
            **frame(SCRIPTS, plotly, SITE),
        ),
    )
    for task, file in files.items():
        text = json.dumps(_task(task, runs), ensure_ascii=False, separators=(",", ":"))
        yield file, f"tribench.give({text});\n"


def _task(task: str, runs: Sequence[tuple[Digest, int]]) -> dict[str, Any]:
    """Cells, and points that are [run, cell, work, step seconds, low, high, compile seconds, bytes,
    score]: ``work`` has the same number where model, recipe and data are the same. ``score`` is
    what the newest run with trainings compares them by; what another run has of another is left
    out.
    """
    score = next((run.scores[task] for run, _ in reversed(runs) if task in run.scores), None)
    cells: dict[tuple[Any, ...], int] = {}
    works: dict[tuple[str | None, ...], int] = {}
    points = []
    for number, (run, _) in enumerate(runs):
        told = run.tasks.get(task, {})
        work = works.setdefault((told.get("spec"), told.get("data_hash")), len(works))
        for cell in run.cells:
            if cell.task == task and not cell.is_twin and cell.step_seconds is not None:
                key = tuple(getattr(cell, name) for name in CELL)
                step = cell.step_seconds
                known = words.determined(step, cell.launches)
                ends = (step.low, step.high) if known else (step.value, step.value)
                reached = cell.score if run.scores.get(task) == score else None
                points.append(
                    [
                        *(number, cells.setdefault(key, len(cells)), work),
                        *(_short(seconds) for seconds in (step.value, *ends)),
                        *(_short(cell.compile_seconds), cell.process_bytes, _short(reached)),
                    ]
                )
    named = [dict(zip(CELL, key, strict=True)) for key in cells]
    return {"cells": named, "points": points, "score": _score(score)}


def _score(name: Score | None) -> dict[str, Any] | None:
    """What the page needs of it."""
    if name is None:
        return None
    score = SCORES[name]
    return {
        "title": f"test {score.name}" + (", %" if score.unit == "%" else ""),
        "better": "higher" if score.higher_is_better else "lower",
        "scale": score.scale,
        "margin": score.scale * score.margin,
        "apart": score.apart,
    }


def _short(value: float | None) -> float | None:
    """Six digits are more than a figure shows."""
    return None if value is None else float(f"{value:.6g}")
