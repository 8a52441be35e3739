"""Numbers and verdicts as people read them. What is not available is ``n/a``, never 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from suite.analysis.scores import SCORES, Scoring
from suite.analysis.statistics import DETERMINED, reach
from suite.records.schema import (
    CeilingSummary,
    CellSummary,
    ComparisonSummary,
    Environment,
    Interval,
    LearningSummary,
    LearningVerdict,
    ParityResult,
    RoundingSummary,
    Summary,
    Training,
    Verdict,
)

NOT_AVAILABLE = "n/a"
MIBIBYTE = 2**20
GIGA = 1e9
CEILINGS = (
    "The highest rates that each backend reached on the device, alone: of matrix products, and of "
    "a copy, bytes read and written (on the CPU NumPy's, in every thread). "
    "A cell's ceiling is the best product of all backends in its precision."
)
OPERATIONS = (
    "FLOP/s count the multiply-adds of the model's matrix products and convolutions as two "
    "operations, and a step of training as three forward passes; element-wise work is not counted, "
    "and what a better algorithm saves is, so that a share can be above 100 %."
)
FIRST_LOOK_LAUNCHES = 3  # fewer launches than this can't tell launch effects from differences
LEAST_RATIO = 0.005  # below it two decimals would leave nothing
MOST_SHOWN = 1e6  # of a ratio as a plain number
MOST_KNOWN = 11.0  # times the value, +1,000 %: an interval that reaches farther says nothing
NOT_KNOWN = "not known"
UNDECIDED = "{new} and {base}: undecided"
SENTENCES: dict[Verdict | None, str] = {
    "FASTER": "{new} is faster than {base}",
    "SLOWER": "{new} is slower than {base}",
    "EQUIVALENT": "{new} is as fast as {base}",
    "INCONCLUSIVE": UNDECIDED,
    None: "{new} and {base}: no verdict",
}
LEARNT: dict[LearningVerdict, str] = {
    "EQUIVALENT": "{new} learns as well as {base}",
    "DIFFERENT": "{new} learns {word} than {base}",
    "INCONCLUSIVE": UNDECIDED,
}


def plain(text: str) -> str:
    """Text without what a terminal would obey: worker messages may hold escape sequences."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def number(value: float | None) -> str:
    """About three significant digits, thousands apart."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    if abs(value) < 0.001:
        return f"{value:.2g}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def rate(cell: CellSummary) -> str:
    """Samples per second and the half-width of its 95 % interval, relative; of two launches both,
    and where the interval determines nothing, by how much launches differ.
    """
    if cell.samples_per_second is None:
        return NOT_AVAILABLE
    told, width = number(cell.samples_per_second), relative_half_width(cell.step_seconds)
    if width is None:
        return told
    if determined(cell.step_seconds, cell.launches):
        return f"{told} {half_width(width)}"
    if len(cell.launch_seconds) == 2:
        return both(sorted(cell.batch_size / seconds for seconds in cell.launch_seconds), number)
    return f"{told} ({not_determined(cell.launch_seconds)})"


def determined(interval: Interval | None, launches: int) -> bool:
    """Does the interval of an estimate over so many launches say where its value lies? Two launches
    are shown themselves: Student's interval over them is 18 of their standard errors wide.
    """
    if interval is None or launches == 2:
        return False
    return reach(interval.value, interval.low, interval.high) <= DETERMINED


def not_determined(launches: Sequence[float]) -> str:
    """What stands where an interval would: how far apart its launches lie."""
    if len(launches) < 2 or min(launches) <= 0:
        return "not determined"
    return f"not determined: launches differ {fold(max(launches) / min(launches))}-fold"


def both(values: Sequence[float], told: Callable[[float], str]) -> str:
    """Two launches' values."""
    return listed(list(map(told, values)))


def half_width(share: float) -> str:
    """``±1.9 %``; nothing is known from ±1,000 % on."""
    if share > MOST_KNOWN - 1:
        return NOT_KNOWN
    return f"±{100 * share:.{0 if share >= 0.1 else 1}f} %"


def fold(times: float) -> str:
    """A factor from 1 on, in two significant digits: ``1.07``, ``2.8``, ``190``."""
    if times > MOST_SHOWN:
        return f"more than {MOST_SHOWN:,.0f}"
    if times < 1.095:
        return f"{times:.2f}"
    if times < 9.95:
        return f"{times:.1f}"
    digits = 1 - math.floor(math.log10(times))
    return f"{round(times, digits):,.0f}"


def as_long(times: Interval | None) -> str:
    """How many times as long, with the half-width of the interval: ``1.35 ±2.0 %``."""
    if times is None:
        return NOT_AVAILABLE
    width = relative_half_width(times)
    return f"{factor(times.value)} {half_width(width)}" if width else factor(times.value)


def relative_half_width(interval: Interval | None) -> float | None:
    """The larger side of an interval as a share of its value."""
    if interval is None or interval.value <= 0:
        return None
    return max(interval.high - interval.value, interval.value - interval.low) / interval.value


def milliseconds(interval: Interval | None) -> str:
    """A step's time in ms."""
    return in_milliseconds(None if interval is None else interval.value)


def in_milliseconds(seconds: float | None) -> str:
    """Seconds in ms."""
    return in_thousandths(seconds)


def in_thousandths(value: float | None) -> str:
    """Joules in mJ, and so on."""
    return number(None if value is None else 1000 * value)


def whole(amount: int | None) -> str:
    """A number of things."""
    return NOT_AVAILABLE if amount is None else f"{amount:,}"


def mebibytes(size_bytes: int | None) -> str:
    """Bytes in MiB."""
    return number(None if size_bytes is None else size_bytes / MIBIBYTE)


def percent(share: float | None) -> str:
    """A share with one decimal."""
    return NOT_AVAILABLE if share is None else f"{100 * share:.1f} %"


def share(part: float | None) -> str:
    """A share where its first digits are enough, and small ones are common."""
    if part is None:
        return NOT_AVAILABLE
    return f"{100 * part:.0f} %" if part >= 0.1 else f"{100 * part:.2g} %"


def giga(rate: float | None) -> str:
    """A rate per second in 10⁹."""
    return number(None if rate is None else rate / GIGA)


def ceiling(found: CeilingSummary) -> str:
    """What an arm reached, in a line."""
    rates = (
        (found.matmul_flops_per_second, "GFLOP/s multiplying matrices"),
        (found.copy_bytes_per_second, "GB/s copying"),
    )
    told = ", ".join(f"{giga(rate)} {unit}" for rate, unit in rates if rate is not None)
    return f"{found.device} {found.precision} by {found.backend} {found.execution}: {told}"


def accuracy(cell: CellSummary) -> str:
    """A test accuracy is worth what its samples are worth, so both are told."""
    if cell.accuracy is None or cell.test_samples is None:
        return percent(cell.accuracy)
    return f"{percent(cell.accuracy)} of {cell.test_samples:,}"


def accuracy_interval(training: Training) -> Interval:
    """Test accuracy with Wilson's interval."""
    return wilson(training.test_correct / training.test_samples, training.test_samples)


def perplexity(training: Training) -> float | None:
    """Of a token: e to the power of the cross-entropy, where the score is of tokens."""
    return None if training.token_accuracy is None else math.exp(training.test_loss)


def wilson(share: float, samples: int) -> Interval:
    """A share of so many samples with Wilson's 95 % interval, which stays inside 0 and 1."""
    z = 1.96
    centre = (share + z * z / (2 * samples)) / (1 + z * z / samples)
    spread = math.sqrt(share * (1 - share) / samples + z * z / (4 * samples**2))
    half = spread * z / (1 + z * z / samples)
    return Interval(value=share, low=min(share, centre - half), high=max(share, centre + half))


def error(value: float | None) -> str:
    """A numerical error: its order of magnitude is what matters."""
    return NOT_AVAILABLE if value is None else "0" if value == 0 else f"{value:.1e}"


def apart(value: float, limit: float, form: str = ".{}e") -> tuple[str, str]:
    """A number and its limit with as many digits, at least one, as tell them apart."""
    for digits in range(1, 17):
        told = form.format(digits)
        pair = (f"{value:{told}}", f"{limit:{told}}")
        if pair[0] != pair[1] or value == limit:
            break
    return pair


def error_and_threshold(error_: float | None, threshold: float | None) -> tuple[str, str]:
    """Both of an answer of parity."""
    if not error_ or threshold is None:
        return error(error_), error(threshold)
    return apart(error_, threshold)


def question(result: ParityResult) -> str:
    """What was asked: of a small batch, or of one that is timed."""
    if result.phase is None:
        return result.question
    return f"{result.question}, {result.phase} ×{result.batch_size}"


def spaced(word: str | None) -> str:
    """A status or verdict of the schema as words: ``not_supported`` is ``not supported``."""
    return NOT_AVAILABLE if word is None else word.replace("_", " ")


def ratio(comparison: ComparisonSummary) -> str:
    """Time NEW / time BASE with its 95 % interval; of two launches both, and where the interval
    determines nothing, by how much launches differ.
    """
    c = comparison
    interval = Interval(value=c.ratio, low=c.low, high=c.high)
    if determined(interval, c.launches):
        return times(interval)
    if len(c.launch_ratios) == 2:
        return both(sorted(c.launch_ratios), factor)
    return f"{factor(c.ratio)} ({not_determined(c.launch_ratios)})"


def times(interval: Interval) -> str:
    """A ratio with its interval: ``1.74 (1.69 to 1.80)``; nothing is known beyond ±1,000 %."""
    if reach(interval.value, interval.low, interval.high) > MOST_KNOWN:
        return f"{factor(interval.value)} ({NOT_KNOWN})"
    return f"{factor(interval.value)} ({factor(interval.low)} to {factor(interval.high)})"


def factor(value: float) -> str:
    """A ratio with two decimals, a small one with two significant digits."""
    if value >= MOST_SHOWN or value < 1e-6:
        return f"{value:.1e}"
    if value < LEAST_RATIO:
        return f"{value:.{1 - math.floor(math.log10(value))}f}"
    return f"{value:,.{0 if value >= 100 else 2}f}"


def verdict(comparison: ComparisonSummary) -> str:
    """The verdict about NEW, with the threshold it was held against."""
    if comparison.verdict is None:
        return "no verdict"
    return f"{comparison.verdict} (δ {100 * comparison.delta:g} %)"


def sentence(comparison: ComparisonSummary) -> str:
    """What a comparison found, in words."""
    return SENTENCES[comparison.verdict].format(new=comparison.new, base=comparison.base)


def learning(found: LearningSummary) -> str:
    """Whether two arms learn the same, in words."""
    better = (found.difference > 0) == SCORES[found.score].higher_is_better
    word = "better" if better else "worse"
    return LEARNT[found.verdict].format(new=found.new, base=found.base, word=word)


def scored(found: Sequence[LearningSummary]) -> list[tuple[Scoring, list[LearningSummary]]]:
    """Those of each score, with what it is; none is empty."""
    every = ((score, [one for one in found if one.score == name]) for name, score in SCORES.items())
    return [(score, ours) for score, ours in every if ours]


def apart_by(found: LearningSummary) -> str:
    """The difference of the scores, in percentage points of accuracy or in bits, with its 95 %
    interval.
    """
    score = SCORES[found.score]
    ends = (found.difference, found.low, found.high)
    told = [f"{score.scale * end:+.{score.digits}f}" for end in ends if end is not None]
    return f"{told[0]} ({told[1]} to {told[2]})" if len(told) == 3 else told[0]


def moved_by(found: RoundingSummary) -> str:
    """What rounding changes a score by, in the same units."""
    score = SCORES[found.score]
    return f"{score.scale * found.difference:.{score.digits}f} {score.apart}"


def settled_by(found: LearningSummary) -> str:
    """How many seeds a verdict rests on, and how many it would need."""
    has = count(found.seeds, "seed", "seeds")
    if found.verdict != "INCONCLUSIVE":
        return has
    if found.seeds_needed is None:
        return f"{has}; two or more would tell how many it needs" if found.seeds < 2 else has
    return f"{has}; about {found.seeds_needed} would settle it"


def busy(summary: Summary) -> str:
    """What else the machine did while the run was timed, in a sentence; nothing if it was quiet."""
    return summary.notes[0] if summary.disturbed_cells and summary.notes else ""


def first_look(launches: int) -> str:
    """The caution that goes with few launches, else nothing."""
    if launches >= FIRST_LOOK_LAUNCHES:
        return ""
    return f"first look: {count(launches, 'launch', 'launches')}"


def count(amount: int, one: str, many: str) -> str:
    """``1 launch``, ``2 launches``."""
    return f"{amount:,} {one if amount == 1 else many}"


def machine(found: Environment) -> str:
    """``Example CPU @ 2.60GHz, 2 cores, 8 GiB``, and its accelerators."""
    size = f"{found.memory_bytes / 2**30:.0f} GiB"
    return ", ".join([found.cpu, count(found.cores, "core", "cores"), size, *found.gpus])


def moment(created: str) -> str:
    """A time as people read it: ``2026-03-14 15:09``."""
    return created[:16].replace("T", " ")


def listed(names: list[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
