"""From records to the summary: each cell's estimate, each comparison's verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil
from statistics import fmean, median, quantiles
from typing import Any

from suite.analysis import words
from suite.analysis.achieved import MOST_OF_CEILING, Achieved
from suite.analysis.comparisons import arm_names, comparisons
from suite.analysis.disturbance import Disturbance
from suite.analysis.learning import learning, rounding
from suite.analysis.repeat import command
from suite.analysis.statistics import DETERMINED, Estimate, difference, estimate, holm, reach
from suite.analysis.times import Times
from suite.analysis.verdict import verdict
from suite.records.schema import (
    AccuracyRecord,
    AnyRecord,
    BlockRecord,
    Cell,
    CellMemory,
    CellSummary,
    ComparisonSummary,
    ExchangeRecord,
    FailureRecord,
    Interval,
    Latency,
    LineRecord,
    Manifest,
    MemoryRecord,
    ParityRecord,
    ParityResult,
    ParityVerdict,
    PhaseRecord,
    Status,
    Summary,
    Training,
)

PUBLISHED = 5  # launches that a published claim has at least
WRONG = ("failed", "implausible")  # what a cell is that gets no verdict
WORST_FIRST: tuple[ParityVerdict, ...] = (
    "different",
    "precision_loss",
    "failed",
    "not_supported",
    "not_available",
    "same",
)
Judged = tuple[str | None, str | None]  # a verdict and its reason


def summarise(manifest: Manifest, records: Sequence[AnyRecord], damaged: Sequence[str]) -> Summary:
    """The summary of what there is; an unfinished run gets one too."""
    view = _View(records)
    achieved = Achieved(manifest, records)
    cells = {
        cell: _explained(achieved.added_to(view.cell(cell, command(manifest, cell))))
        for cell in manifest.cells
    }
    found = [
        comparison
        for group in comparisons(manifest.cells)
        for comparison in view.compare(group, manifest.delta, cells)
    ]
    disturbed = sum(cell.status == "disturbed" for cell in cells.values())
    busy = view.disturbance.note(manifest.cells, disturbed)
    return Summary(
        id=manifest.id,
        complete=manifest.complete,
        cells=list(cells.values()),
        comparisons=found,
        parity=view.parity,
        trainings=view.trainings,
        failures=[_sentence(f) for f in view.failures if f.status in WRONG],
        notes=[
            *([busy] if busy else []),
            *_notes(manifest),
            *_of_weights(manifest, view.trainings),
            *view.lacks(),
            *damaged,
        ],
        ceilings=achieved.ceilings(),
        learning=learning(view.trainings),
        rounding=rounding(view.trainings),
        lines=[each.line for each in view.kinds[LineRecord]],
        exchanges=[each.exchange for each in view.kinds[ExchangeRecord]],
        disturbed_cells=sum(view.disturbance.met(cell) for cell in manifest.cells),
    )


class _View:
    """The records, by what they are about."""

    def __init__(self, records: Iterable[AnyRecord]) -> None:
        self.kinds: dict[type[Any], list[Any]] = defaultdict(list)
        for record in records:
            self.kinds[type(record)].append(record)
        kinds = self.kinds
        blocks: list[BlockRecord] = kinds[BlockRecord]
        self.times, self.disturbance = Times(blocks), Disturbance(blocks)
        self.phases: dict[Cell | None, list[PhaseRecord]] = defaultdict(list)
        for phase in kinds[PhaseRecord]:
            self.phases[phase.cell].append(phase)
        self.memory: dict[Cell, MemoryRecord] = {each.cell: each for each in kinds[MemoryRecord]}
        self.parity: list[ParityResult] = [each.result for each in kinds[ParityRecord]]
        self.answers: dict[tuple[str, ...], list[ParityResult]] = defaultdict(list)
        for told in self.parity:
            self.answers[told.task, told.backend, told.execution].append(told)
        self.trainings: list[Training] = [each.training for each in kinds[AccuracyRecord]]
        self.failures: list[FailureRecord] = kinds[FailureRecord]

    def cell(self, cell: Cell, again: str) -> CellSummary:
        """All that is known of a cell; the command ``again`` measures it once more."""
        steps, value = self.times.of(cell), self.times.typical(cell)
        status, reason = self._status(cell)
        cautions = (reason, self.disturbance.reason(cell), self._not_counted(cell))
        joules = _median(self._samples(cell, "energy"))
        memory = self.memory.get(cell)
        trained = self._trained(cell)
        return CellSummary(
            **cell.model_dump(),
            status=status,
            reason="; ".join(filter(None, cautions)) or None,
            samples_per_second=cell.batch_size / value.value if value else None,
            step_seconds=Interval(**value._asdict()) if value else None,
            launches=len(steps),
            blocks=sum(map(len, steps.values())),
            compile_seconds=self._compile_seconds(cell),
            latency=_latency(self._samples(cell, "latency")),
            fed_seconds=_median([seconds for seconds in self._samples(cell, "fed") if seconds > 0]),
            cpu_seconds=self._cpu_seconds(cell),
            joules_per_sample=None if joules is None else joules / cell.batch_size,
            break_even_steps=self._break_even(cell),
            memory=CellMemory(**{k: getattr(memory, k, None) for k in CellMemory.model_fields}),
            accuracy=fmean(t.test_accuracy for t in trained) if trained else None,
            test_samples=trained[0].test_samples if trained else None,
            bits_per_byte=_mean([t.bits_per_byte for t in trained if t.bits_per_byte is not None]),
            token_accuracy=_mean(
                [t.token_accuracy for t in trained if t.token_accuracy is not None]
            ),
            error_rate=_mean([t.error_rate for t in trained if t.error_rate is not None]),
            parity=self._parity(cell),
            command=again,
            launch_seconds=[median(rounds.values()) for _, rounds in sorted(steps.items())],
        )

    def _phases(self, cell: Cell, name: str) -> list[PhaseRecord]:
        return [record for record in self.phases.get(cell, ()) if record.phase == name]

    def _samples(self, cell: Cell, phase: str) -> list[float]:
        return [sample for record in self._phases(cell, phase) for sample in record.samples]

    def _compile_seconds(self, cell: Cell) -> float | None:
        return _median([record.seconds for record in self._phases(cell, "compile")])

    def _cpu_seconds(self, cell: Cell) -> float | None:
        """Of a step, by the share that the worker's process took of its block and lead-in."""
        return _median(
            [
                block.noise.cpu_per_wall * block.seconds / block.steps
                for block in self.disturbance.blocks.get(cell, ())
                if block.void is None and block.noise.cpu_per_wall is not None
            ]
        )

    def _break_even(self, cell: Cell) -> int | None:
        """After how many steps the time to compile is made up for against the backend's eager
        execution; None where there is none, or never.
        """
        other = cell.model_copy(update={"execution": "eager"})
        launches, step = self.times.paired(other, cell), self.times.typical(other)
        if cell == other or not launches or step is None:
            return None
        spent, before = self._compile_seconds(cell), self._compile_seconds(other)
        gained = 1 - estimate(launches).value
        if spent is None or before is None or gained <= 0:
            return None
        return max(0, ceil((spent - before) / (gained * step.value)))

    def compare(
        self, group: Sequence[Cell], delta: float, cells: Mapping[Cell, CellSummary]
    ) -> list[ComparisonSummary]:
        """Every pair of a comparison's cells that have rounds in common; the A/A arm with the one
        that it doubles alone. No verdict is given on a cell whose status says that it is wrong.
        """
        names = arm_names(group)
        pairs = {
            (base, new): launches
            for base, new in combinations(group, 2)
            if (not new.is_twin or doubled_by(new) == base.arm)
            and (launches := self.times.paired(base, new))
        }
        twins = [estimate(launches) for (_, new), launches in pairs.items() if new.is_twin]
        claimed = [pair for pair in pairs if not pair[1].is_twin]
        adjusted = dict(
            zip(claimed, holm([difference(pairs[pair]) for pair in claimed]), strict=True)
        )
        found = []
        for (base, new), launches in pairs.items():
            ratio = estimate(launches)
            twin = twins[0] if twins and not new.is_twin else None
            p_value = adjusted.get((base, new), 0.0)
            judged, reason = self._barred(base, new, cells, len(launches)) or _judge(
                ratio, delta, twin, p_value, len(claimed)
            )
            found.append(
                ComparisonSummary(
                    **base.model_dump(
                        include={"task", "phase", "precision", "device", "batch_size"}
                    ),
                    base=names[base.arm],
                    new=names[new.arm],
                    ratio=ratio.value,
                    low=ratio.low,
                    high=ratio.high,
                    delta=delta,
                    launches=len(launches),
                    paired=True,
                    verdict=judged,
                    reason=reason,
                    launch_ratios=[median(rounds) for rounds in launches],
                )
            )
        return found

    def _barred(
        self, base: Cell, new: Cell, cells: Mapping[Cell, CellSummary], launches: int
    ) -> Judged | None:
        """What keeps two arms from being judged by their times."""
        for cell in (base, new):
            if cells[cell].status in WRONG:
                return None, f"no verdict: {cell.backend} is {cells[cell].status}"
        for cell in (base, new):
            if not proven(self._answers(cell)):
                parity = self._parity(cell) or "not known"
                return None, f"no verdict: parity of {cell.backend} is {parity}"
        busy = [cell for cell in (base, new) if self.disturbance.decides(cell)]
        if busy:
            names = "both" if len(busy) == 2 else busy[0].backend
            return "INCONCLUSIVE", self.disturbance.sentence(busy, names)
        if launches == 1:
            return "INCONCLUSIVE", "one launch does not tell how another would be"
        return None

    def _status(self, cell: Cell) -> tuple[Status, str | None]:
        training = ("accuracy", "train", cell.task, *cell.arm)
        for failure in self.failures:
            about = (failure.stage, cell.phase, failure.task, failure.backend, failure.execution)
            precise = failure.precision in (None, cell.precision)
            if failure.cell == cell or (about == training and precise):
                stage = "" if failure.stage == "plan" else f"{failure.stage}: "
                return failure.status, stage + failure.reason
        if not self.times.of(cell):
            return "not_available", "not measured: the run ended before"
        if self.disturbance.decides(cell):
            return "disturbed", None  # why stands in the blocks' own sentence
        if any(record.steady is False for record in self._phases(cell, "warmup")):
            return "not_stationary", "the time of a step did not settle during the warm-up"
        return "ok", None

    def _not_counted(self, cell: Cell) -> str | None:
        """How many blocks are void, where others are not."""
        void, steps = self.disturbance.void(cell), self.times.of(cell)
        if not void or not steps:
            return None
        blocks = len(void) + sum(map(len, steps.values()))
        return f"{len(void)} of {blocks} blocks do not count: {', '.join(sorted(set(void)))}"

    def _trained(self, cell: Cell) -> list[Training]:
        """The trainings of all seeds, whose mean is shown with the ``train`` cells of the task."""
        wanted = ("train", "stored", cell.task, *cell.arm, cell.precision)
        return [
            t
            for t in self.trainings
            if (cell.phase, t.start, t.task, t.backend, t.execution, t.precision) == wanted
        ]

    def _parity(self, cell: Cell) -> ParityVerdict | None:
        """The worst answer to the questions about the cell's program."""
        answers = {answer.verdict for answer in self._answers(cell)}
        return next((v for v in WORST_FIRST if v in answers), None)

    def _answers(self, cell: Cell) -> list[ParityResult]:
        return answers(cell, self.answers.get((cell.task, *doubled_by(cell)), ()))

    def lacks(self) -> list[str]:
        """What today's checks ask and these records do not tell: a sentence, or nothing."""
        timed = [cell for cell in self.times.steps if not cell.is_twin]
        missing = sum(
            not any(r.phase and r.precision == cell.precision for r in self._answers(cell))
            for cell in timed
        )
        if not missing:
            return []
        of = f"{missing} of {len(timed)} cells"
        return [
            f"Parity was not asked with the batch that was timed, only with a smaller one: {of}."
        ]


def _judge(
    ratio: Estimate, delta: float, twin: Estimate | None, p_value: float, claims: int
) -> Judged:
    """What two arms' times say: their ratio; the A/A arm's, which is the ``twin``'s; how likely
    chance alone makes the difference, adjusted for so many ``claims``.
    """
    judged = verdict(ratio, delta, twin, p_value)
    if judged == verdict(ratio, delta):
        wide = reach(*ratio) > DETERMINED
        return judged, "launches differ: the ratio is not determined" if wide else None
    if twin is not None and judged != verdict(ratio, delta, None, p_value):
        if reach(*twin) > DETERMINED:
            return judged, "of identical code the A/A arm shows nothing: it is not determined"
        spread = f"{twin.low:.2f} to {twin.high:.2f}"
        return judged, f"no more than the A/A arm shows of identical code: {spread}"
    return judged, f"may be chance: p = {p_value:.2g}, adjusted for {claims} comparisons (Holm)"


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _explained(cell: CellSummary) -> CellSummary:
    """The same, called implausible where its rate is more than the device can explain."""
    share = cell.of_ceiling
    if cell.status in WRONG or share is None or share <= MOST_OF_CEILING:
        return cell
    why = f"at {100 * share:.0f} % of what the device's best matrix product reaches"
    reason = "; ".join(filter(None, (why, cell.reason)))
    return cell.model_copy(update={"status": "implausible", "reason": reason})


def _latency(seconds: Sequence[float]) -> Latency | None:
    if not seconds:
        return None
    several = [*seconds, *seconds] if len(seconds) == 1 else seconds
    found = quantiles(several, n=100, method="inclusive")  # a third of numpy.percentile's time
    return Latency(p50=found[49], p90=found[89], p99=found[98])


def doubled_by(cell: Cell) -> tuple[str, str]:
    """The arm that an A/A arm doubles; every other one's own."""
    return (cell.doubles, cell.execution)


def answers(cell: Cell, results: Iterable[ParityResult]) -> list[ParityResult]:
    """Those of parity's results that are about the cell's program, as a whole or with the batch
    that the cell times.
    """
    about, timed = (cell.task, *doubled_by(cell)), (cell.phase, cell.batch_size)
    return [
        r
        for r in results
        if (r.task, r.backend, r.execution) == about
        and r.precision in ("float64", cell.precision)
        and (r.phase is None or (r.phase, r.batch_size) == timed)
    ]


def proven(results: Sequence[ParityResult]) -> bool:
    """Do the answers about a cell's program allow a verdict on its times?"""
    return bool(results) and all(result.passed for result in results)


def exit_code(summary: Summary) -> int:
    """1 if a cell failed or cannot be, or parity differs, else 0."""
    failed = any(cell.status in WRONG for cell in summary.cells)
    apart = any(result.wrong for result in summary.parity)
    apart |= any(exchange.wrong for exchange in summary.exchanges)
    return 1 if failed or apart else 0


def _sentence(failure: FailureRecord) -> str:
    about = failure.cell or failure
    names = [failure.stage, about.task, getattr(about, "phase", None), about.backend]
    names += [about.execution, about.precision]
    return f"{' '.join(name for name in names if name)}: {failure.reason}"


def _notes(manifest: Manifest) -> list[str]:
    notes = []
    if not manifest.complete:
        notes.append("This run is not complete.")
    if manifest.launches < PUBLISHED:
        notes.append(
            f"Launches: {manifest.launches}. They are few, so the intervals are wide; a result to "
            f"publish has at least {PUBLISHED}."
        )
    return notes


def _of_weights(manifest: Manifest, trainings: Sequence[Training]) -> Iterator[str]:
    """Which tasks start from weights of the user's, and how good these are in each arm."""
    for task, told in manifest.tasks.items():
        if "weights" in told:
            scores = dict.fromkeys(
                f"{words.percent(each.weights_accuracy)} in {each.backend} {each.precision} "
                f"(loss {words.number(each.weights_loss)})"
                for each in trainings
                if each.task == task and each.weights_accuracy is not None
            )
            found = f": before training the test accuracy is {', '.join(scores)}" if scores else ""
            yield f"{task} starts from the weights {told['weights']}{found}."
