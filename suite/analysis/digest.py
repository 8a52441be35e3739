"""A run as far as comparisons, histories and the index of a site need it: some 30 kB, no samples.

The site keeps one beside each run's page, so that a reader's browser compares any two of them by
the same statistics as :mod:`suite.analysis.compare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

from suite.analysis.summary import answers, proven
from suite.analysis.times import Steps, Times
from suite.analysis.unpaired import Launches, launches
from suite.analysis.words import spaced
from suite.records.run import Run
from suite.records.schema import (
    Cell,
    CellSummary,
    Environment,
    Interval,
    Model,
    ParityResult,
    ParityVerdict,
    Phase,
    Status,
)
from tasks.base import Score

Standing = Literal["fit", "disturbed", "unfit", "absent"]
ABSENT = ("failed", "not_supported", "not_available")


class CellDigest(Cell):
    """A cell's results in short. ``logs`` are its launches as unpaired comparisons see them: mean,
    squared error and freedom; None if it was not measured. Seconds, bytes, a share.

    ``standing`` is what its times are good for: ``fit`` to be judged; ``disturbed``, so that they
    settle nothing; ``unfit``, because they may be another function's or cannot be; ``absent``,
    because there are none or the cell failed. ``note`` says why in a word or two, ``reason`` at
    length. ``score`` is what its task's trainings reach on the test samples, the mean over seeds.
    """

    status: Status
    standing: Standing
    note: str | None
    reason: str | None
    launches: int
    logs: Launches | None
    step_seconds: Interval | None
    compile_seconds: float | None
    process_bytes: int | None
    score: float | None


class Ranked(Model):
    """An arm among those that it is compared with. ``times`` is how many times as long as the
    quickest it takes, with the 95 % interval of the pair, None where that is not known; ``tier`` is
    None where no verdict ranks it. Seconds, bytes, a rate.
    """

    backend: str
    execution: str
    status: Status
    parity: ParityVerdict | None
    tier: int | None
    times: Interval | None
    step_seconds: float | None
    per_second: float | None
    process_bytes: int | None
    score: float | None


class Ranking(Model):
    """A comparison: who is the quickest, also in words, and by how much."""

    task: str
    phase: Phase
    batch_size: int
    precision: str
    device: str
    headline: str
    launches: int
    of_tokens: bool  # what ``per_second`` counts; samples otherwise
    arms: list[Ranked]


class Digest(Model):
    """``tasks`` has what makes two runs' work the same, ``scores`` what the trainings of a task are
    compared by; ``problems`` is what could not be read.
    """

    id: str
    created: str
    label: str | None
    profile: str
    complete: bool
    delta: float
    problems: list[str]
    environment: Environment
    tasks: dict[str, dict[str, str]]
    scores: dict[str, Score]
    parity_passed: int
    parity_asked: int
    cells: list[CellDigest]
    rankings: tuple[Ranking, ...] = ()

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self.label or self.id

    @property
    def devices(self) -> list[str]:
        """What it measured on."""
        return list(dict.fromkeys(cell.device for cell in self.cells))

    @property
    def measured(self) -> int:
        """How many cells were."""
        return measured(self.cells)

    @property
    def timed_tasks(self) -> list[str]:
        """Those of which it has times."""
        return list(dict.fromkeys(cell.task for cell in self.cells if cell.logs is not None))

    @property
    def state(self) -> str:
        """Can it be relied on? complete, partial or damaged."""
        return "damaged" if self.problems else "complete" if self.complete else "partial"

    @property
    def versions(self) -> list[str]:
        """The frameworks', as ``torch 2.13.0``; a second arm's with its label."""
        return [
            f"{name} {version}"
            for name, told in self.environment.backends.items()
            if name != "numpy" and (version := told.get(name.partition("@")[0]))
        ]


def is_measured(cell: CellDigest | CellSummary) -> bool:
    """Has it a time, with a caution or not? The index and a run's page count by this alone."""
    return cell.step_seconds is not None


def measured(cells: Iterable[CellDigest | CellSummary]) -> int:
    """How many of these were measured."""
    return sum(map(is_measured, cells))


def cell_of(results: Cell) -> Cell:
    """Which one it is, without its results."""
    return Cell(**{name: getattr(results, name) for name in Cell.model_fields})


def digest(run: Run) -> Digest:
    """Of what was read of the run."""
    manifest, parity, times = run.manifest, run.summary.parity, Times(run.records)
    found = {cell_of(summary): summary for summary in run.summary.cells}
    scores = {training.task: training.score for training in run.summary.trainings}
    return Digest(
        id=manifest.id,
        created=manifest.created,
        label=manifest.label,
        profile=manifest.profile,
        complete=manifest.complete,
        delta=manifest.delta,
        problems=list(run.damage),
        environment=run.environment,
        tasks={
            name: {key: str(told[key]) for key in ("spec", "data_hash", "weights") if key in told}
            for name, told in manifest.tasks.items()
        },
        parity_passed=sum(result.passed for result in parity),
        scores=scores,
        # What could run: the rest has computed nothing that could differ.
        parity_asked=sum(result.passed or result.wrong for result in parity),
        cells=[
            _digested(found[cell], times.of(cell), parity, scores.get(cell.task))
            for cell in dict.fromkeys(manifest.cells)
            if cell in found
        ],
    )


def _digested(
    cell: CellSummary, steps: Steps, asked: Sequence[ParityResult], score: Score | None
) -> CellDigest:
    """A cell that is not stationary is fit, as it is within a run: its launches tell how unsteady
    it is.
    """
    medians = [median(rounds.values()) for rounds in steps.values()]
    logs = launches(medians) if medians else None
    standing: Standing
    note, reason = (None, None) if cell.status == "ok" else (spaced(cell.status), cell.reason)
    if cell.status in ABSENT:
        standing = "absent"
    elif cell.status == "implausible":
        standing = "unfit"
    elif logs is None:
        standing, note, reason = "unfit", "without records", None
    elif not proven(answers(cell, asked)):
        standing, note, reason = "unfit", f"parity {spaced(cell.parity or 'not known')}", None
    else:
        standing = "disturbed" if cell.status == "disturbed" else "fit"
    told = {name: value for name, value in cell if name in CellDigest.model_fields}
    told |= {"standing": standing, "note": note, "reason": reason, "logs": logs}
    told["score"] = None if score is None else getattr(cell, score)
    return CellDigest(**told, process_bytes=cell.memory.process)
