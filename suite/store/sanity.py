"""Can a run's numbers be? Each check yields what is wrong, a sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from suite.analysis.achieved import MOST_OF_CEILING
from suite.analysis.scores import BIT
from suite.records.run import Run
from suite.records.schema import (
    AccuracyRecord,
    BlockRecord,
    CeilingRecord,
    ComparisonSummary,
    LineRecord,
    MemoryRecord,
    ParityRecord,
    PhaseRecord,
    Summary,
)
from suite.store.directory import StoreError, read_model
from suite.store.seal import read_seal

FLOAT_BYTES = 4
MOST_PER_SECOND = {"matmul": 1e17, "copy": 1e14}  # ten times what one device of 2026 can
ROUNDING = 1e-6  # of a share of test samples
APART = 0.05  # of a time in summary.json that another version of tribench made of the same records

Check = Callable[[Run], Iterator[str]]
CHECKS: list[Check] = []


def check(function: Check) -> Check:
    """Hold every run against this."""
    CHECKS.append(function)
    return function


def implausible(run: Run) -> list[str]:
    """Everything about its numbers that cannot be."""
    return [problem for each in CHECKS for problem in each(run)]


@check
def records(run: Run) -> Iterator[str]:
    """Nothing takes less than no time, and a block that counts takes some. A peak holds the
    parameters at least. Shares are from 0 to 1, and that of the test samples is what was counted. A
    ceiling is not far over any device's. What is called the same is within its threshold.
    """
    for record in run.records:
        match record:
            case BlockRecord(void=None) if record.seconds <= 0 or record.steps < 1:
                cell = record.cell.label
                yield f"a block of {cell} took {record.seconds:g} s for {record.steps} steps"
            case PhaseRecord() if min(record.seconds, *record.samples, 0) < 0:
                yield f"{record.phase} in {record.unit} took less than no time"
            case MemoryRecord():
                told = run.manifest.tasks.get(record.cell.task, {}).get("parameters", 0)
                size = FLOAT_BYTES * int(told) if str(told).isdecimal() else 0
                for kind in ("live", "reserved", "process", "planned", "device"):
                    peak = getattr(record, kind)
                    if peak is not None and peak < size:
                        what = f"{record.cell.label}: a {kind} peak of {peak} bytes"
                        yield f"{what} is below the parameters' {size}"
            case AccuracyRecord(training=trained):
                name = f"{trained.task} {trained.backend}"
                if min(trained.seconds, *trained.epoch_seconds, 0) < 0:
                    yield f"a training of {name} took less than no time"
                shares = [trained.test_accuracy, *trained.validation_accuracies]
                shares += [trained.test_macro_f1 or 0, trained.sequence_accuracy or 0]
                shares += [trained.weights_accuracy or 0]
                yield from _shares(name, shares)
                bits, loss = trained.bits_per_byte, trained.test_loss
                if bits is not None and not abs(bits - loss / BIT) <= ROUNDING * bits:
                    yield f"{name}: {bits:g} bits are not a loss of {loss:g}"
                tokens = trained.token_accuracy
                if tokens is not None and tokens != trained.test_accuracy:
                    what = f"a token accuracy of {tokens:g}"
                    yield f"{name}: {what} is not the accuracy of {trained.test_accuracy:g}"
                if (trained.score == "error_rate") == (trained.error_rate is None):
                    yield f"{name}: an error rate goes with the score of this name"
                if min(trained.error_rate or 0, *trained.validation_error_rates, 0) < 0:
                    yield f"{name}: an error rate is below 0"
                right, samples = trained.test_correct, trained.test_samples
                counted = 0 <= right <= samples != 0
                if not (counted and abs(right / samples - trained.test_accuracy) <= ROUNDING):
                    what = f"{right} of {samples} test samples"
                    yield f"{name}: {trained.test_accuracy:g} is not {what}"
            case LineRecord(line=line):
                shares = [line.test_accuracy, line.test_macro_f1]
                yield from _shares(f"{line.task} {line.model}", shares)
            case CeilingRecord() if record.rate > MOST_PER_SECOND[record.what]:
                what = f"{record.backend} has a {record.what} ceiling"
                yield f"{what} of {record.rate:.2g} per second"
            case ParityRecord(result=found) if found.verdict == "same":
                error, threshold = found.error, found.threshold
                if error is not None and threshold is not None and error > threshold:
                    what = f"{found.question} of {found.task} {found.backend} {found.execution}"
                    told = f"with an error of {error:g}, above its threshold"
                    yield f"{what} is called the same {told}"


@check
def rates(run: Run) -> Iterator[str]:
    """Not far over the device's ceiling, and that not over any device's."""
    for cell in run.summary.cells:
        if cell.of_ceiling is not None and cell.of_ceiling > MOST_OF_CEILING:
            yield f"{cell.label} is at {100 * cell.of_ceiling:.0f} % of the ceiling"
        if cell.flops_per_second is not None and cell.flops_per_second > MOST_PER_SECOND["matmul"]:
            yield f"{cell.label} is at {cell.flops_per_second:.2g} FLOP/s"


@check
def intervals(run: Run) -> Iterator[str]:
    """Each is around its value, and times and their ratios are above 0."""
    for cell in run.summary.cells:
        step = cell.step_seconds
        if step is not None and not 0 < step.low <= step.value <= step.high:
            told = f"{step.low:g} to {step.high:g}"
            yield f"{cell.label}: the interval {told} s is not around {step.value:g} s"
    for one in run.summary.comparisons:
        if not 0 < one.low <= one.ratio <= one.high:
            told = f"{one.low:g} to {one.high:g}"
            what = f"{one.task} {one.phase}, {one.new} to {one.base}"
            yield f"{what}: the interval {told} is not around {one.ratio:g}"


@check
def blocks(run: Run) -> Iterator[str]:
    """None stands there twice."""
    kept = (record for record in run.records if isinstance(record, BlockRecord))
    places = Counter((each.cell.label, each.launch, each.round, each.position) for each in kept)
    for (cell, launch, number, _), times in places.items():
        if times > 1:
            where = f"in launch {launch}, round {number}"
            yield f"{times} blocks of {cell} have the place of one, {where}"
            return


def unsound(run: Run) -> list[str]:
    """What is damaged in a run, what of its numbers cannot be, and what its summary says otherwise
    than its records.
    """
    # Lines that a kill cut off, and that the seal has as they were, are lost to nobody.
    begin, end = "records.jsonl: ", ": it is not JSON"  # of all of them, if there are several
    known = read_seal(run.path).vouches("records.jsonl")
    found = [d for d in run.damage if not (known and d.startswith(begin) and d.endswith(end))]
    found += implausible(run)
    path = run.path / "summary.json"
    try:
        found += contradictions(run, read_model(path, Summary)) if path.is_file() else []
    except StoreError as error:
        found.append(str(error))
    return found


def contradictions(run: Run, stored: Summary) -> Iterator[str]:
    """Where a stored summary says something else than the records."""
    if stored.id != run.manifest.id:
        yield f"summary.json is of {stored.id}"
    summaries = (run.summary, stored)
    ours, theirs = ({cell.label: cell for cell in each.cells} for each in summaries)
    if ours.keys() != theirs.keys():
        yield "summary.json has other cells"
    for name in ours.keys() & theirs.keys():
        a, b = ours[name].step_seconds, theirs[name].step_seconds
        if (a is None) != (b is None) or (a and b and abs(a.value - b.value) > APART * a.value):
            told = ["nothing" if each is None else f"{each.value:g} s" for each in (b, a)]
            yield f"{name}: summary.json says {told[0]} where the records say {told[1]}"
        launches = [len(each[name].launch_seconds) for each in (theirs, ours)]
        if launches[0] not in (0, launches[1]):  # 0: an older tribench did not tell them
            yield f"{name}: summary.json has {launches[0]} launches, the records {launches[1]}"
    found, kept = ({_pair(one): one for one in each.comparisons} for each in summaries)
    for name in found.keys() & kept.keys():
        right, said = found[name], kept[name]
        opposed = {right.verdict, said.verdict} == {"FASTER", "SLOWER"}
        if opposed or abs(said.ratio - right.ratio) > APART * right.ratio:
            told = [f"{each.ratio:.2f} ({each.verdict or 'no verdict'})" for each in (said, right)]
            yield f"{name}: summary.json says {told[0]} where the records say {told[1]}"


def _shares(what: str, shares: Iterable[float]) -> Iterator[str]:
    for share in shares:
        if not 0 <= share <= 1:
            yield f"{what}: a share of {share:g} is not between 0 and 1"


def _pair(one: ComparisonSummary) -> str:
    return f"{one.task} {one.phase} ×{one.batch_size} {one.precision}, {one.new} to {one.base}"
