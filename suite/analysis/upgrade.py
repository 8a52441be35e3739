"""What an upgrade changed: two arms of one run, aspect by aspect. Pure.

Speed is judged by the run's own verdicts, which are paired, and adjusted once more for all that are
claimed together, as between two runs. Compile time and memory are measured once in each arm; see
suite.analysis.single.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from suite.analysis import compare, single, words
from suite.analysis.comparisons import arm_names, comparisons
from suite.analysis.digest import CellDigest, cell_of, digest
from suite.analysis.scores import SCORES
from suite.analysis.single import COMPILE, COUNTED, PROCESS, Scatter
from suite.analysis.statistics import AT_LEVEL, difference, holm
from suite.analysis.summary import WORST_FIRST, answers, proven
from suite.analysis.verdict import verdict
from suite.records.run import Run
from suite.records.schema import (
    Aspect,
    Cell,
    CellMemory,
    CellSummary,
    ComparisonSummary,
    Difference,
    Environment,
    Interval,
    LearningSummary,
    ParityResult,
    Standing,
    Training,
    Upgrade,
    UpgradeFinding,
    UpgradeSummary,
)

NAMES = ("OLD", "NEW")
DEFAULT = "default"  # the execution of an arm that is not available
CUDA, CPU, UNKNOWN = "CUDA", "CPU", "not known"
STANDINGS: dict[str, Standing] = {
    **dict.fromkeys(("SLOWER", "MORE"), "worse"),
    **dict.fromkeys(("FASTER", "LESS"), "better"),
    "EQUIVALENT": "unchanged",
}


MEMORY = {
    kind: PROCESS if kind in ("process", "device") else COUNTED for kind in CellMemory.model_fields
}
TURNED = {"FASTER": "LESS", "SLOWER": "MORE"}  # what a verdict on times is called of memory


class Both(NamedTuple):
    """A cell in both arms; None where an arm has none of its kind."""

    base: Cell | None
    new: Cell | None

    @property
    def any(self) -> Cell:
        """The one that tells the work: an arm that is not available has no execution."""
        found = [cell for cell in (self.new, self.base) if cell is not None]
        return next((cell for cell in found if cell.execution != DEFAULT), found[0])


class Single(NamedTuple):
    """A value that was measured once in each arm."""

    pair: Both
    base: float
    new: float


def upgraded(run: Run, upgrade: Upgrade) -> UpgradeSummary:
    """What the run found between the arms of its upgrade."""
    pairs = _pairs(run.manifest.cells, upgrade)
    found = _Found(run, upgrade)
    return UpgradeSummary(
        id=run.manifest.id,
        complete=run.manifest.complete,
        upgrade=upgrade,
        builds=builds(run.environment, upgrade),
        delta=run.manifest.delta,
        differences=versions(run.environment, upgrade),
        findings=[
            *found.speed(pairs),
            *found.compile(pairs),
            *found.memory(pairs),
            *found.parity(pairs),
            *found.accuracy(),
        ],
        unjudged=found.unjudged(pairs),
        notes=run.summary.notes,
    )


def builds(environment: Environment, upgrade: Upgrade) -> tuple[str, str]:
    """For which device each arm's framework was built, as its packages tell."""
    base, new = (_build(environment.backends.get(arm, {})) for arm in (upgrade.base, upgrade.new))
    return base, new


def _build(told: dict[str, str]) -> str:
    if not told:
        return UNKNOWN
    locals_ = [version.partition("+")[2] for version in told.values()]
    libraries = any(name.startswith("nvidia-") or "cuda" in name for name in told)
    return CUDA if libraries or any(each.startswith("cu") for each in locals_) else CPU


def versions(environment: Environment, upgrade: Upgrade) -> list[Difference]:
    """Of what the arms run on, those that differ."""
    base, new = (environment.backends.get(arm, {}) for arm in (upgrade.base, upgrade.new))
    if not base or not new:  # one is not available
        return []
    return [
        Difference(what=name, base=old, new=now, matters=True)
        for name in [*base, *(name for name in new if name not in base)]
        if (old := base.get(name, "none")) != (now := new.get(name, "none"))
    ]


def stops(found: UpgradeSummary) -> list[str]:
    """Why a gate ends with 1, a line each; none where everything that OLD had was judged and
    nothing became worse. What is INCONCLUSIVE passes.
    """
    worse = [
        f"{label(each)}: {words.spaced(each.verdict)}{_by(each)}" for each in found.of("worse")
    ]
    judged = any(each.aspect == "speed" and each.verdict for each in found.findings)
    nothing = [] if judged else ["nothing is left to compare"]
    return [*worse, *found.unjudged, *nothing]


def label(found: UpgradeFinding) -> str:
    """The aspect and the work, as people call them."""
    return f"{aspect(found)} of {work(found)}"


def aspect(found: UpgradeFinding) -> str:
    """The aspect, and which one of several that it has."""
    told = found.what not in ("", found.aspect)
    return f"{found.aspect} ({found.what})" if told else found.aspect


def work(found: UpgradeFinding) -> str:
    """``rnn-tiny train ×128 compiled float32``, as far as the finding is about it."""
    size = None if found.batch_size is None else f"×{found.batch_size}"
    parts = (found.task, found.phase, size, found.execution, found.precision)
    return " ".join(part for part in parts if part)


def _by(found: UpgradeFinding) -> str:
    if found.aspect == "parity":
        return f" in {NAMES[1]}, {found.base} in {NAMES[0]}"
    if found.change is None or found.aspect == "accuracy":
        return ""
    return (
        f", {words.times(found.change)} times as {'much' if found.aspect == 'memory' else 'long'}"
    )


def _pairs(cells: Sequence[Cell], upgrade: Upgrade) -> list[Both]:
    """The cells of both arms by what they are, executions apart. An arm that is not available has
    one cell without an execution, which stands beside each of the other's.
    """
    found = []
    for group in comparisons(cells):
        mine, theirs = (
            {cell.execution: cell for cell in group if cell.backend == arm}
            for arm in (upgrade.base, upgrade.new)
        )
        executions = list(dict.fromkeys([*mine, *theirs]))
        known = [each for each in executions if each != DEFAULT] or executions
        found += [
            Both(mine.get(each, mine.get(DEFAULT)), theirs.get(each, theirs.get(DEFAULT)))
            for each in known
        ]
    return found


class _Found:
    """A run's results by what they are of."""

    def __init__(self, run: Run, upgrade: Upgrade) -> None:
        self.upgrade, self.summary, self.delta = upgrade, run.summary, run.manifest.delta
        self.cells = {cell_of(cell): cell for cell in run.summary.cells}
        self.digests = {cell_of(cell): cell for cell in digest(run).cells}
        self.names: dict[Cell, str] = {}
        for group in comparisons(run.manifest.cells):
            names = arm_names(group)
            self.names |= {cell: names[cell.arm] for cell in group}
        self.compared: dict[tuple[object, ...], ComparisonSummary] = {
            (one.task, one.phase, one.precision, one.device, one.batch_size, one.base, one.new): one
            for one in run.summary.comparisons
        }

    def speed(self, pairs: Sequence[Both]) -> list[UpgradeFinding]:
        """The time of a step."""
        found = [(pair, self._comparison(pair)) for pair in pairs]
        claims = [
            comparison
            for _, comparison in found
            if comparison and comparison.verdict in ("FASTER", "SLOWER", "EQUIVALENT")
        ]
        chances = [difference([[each] for each in one.launch_ratios]) for one in claims]
        adjusted = {id(one): p_value for one, p_value in zip(claims, holm(chances), strict=True)}
        return [self._speed(*each, adjusted) for each in found]

    def _comparison(self, pair: Both) -> ComparisonSummary | None:
        if pair.base is None or pair.new is None:
            return None
        names = (self.names[pair.base], self.names[pair.new])
        return self.compared.get((*pair.base.comparison, *names))

    def _speed(
        self, pair: Both, comparison: ComparisonSummary | None, adjusted: dict[int, float]
    ) -> UpgradeFinding:
        base, new = (self._cell(cell) for cell in pair)
        reason = self._caution(pair) or None
        said, ratio = None, None
        if comparison is not None:
            said = comparison.verdict
            reason = comparison.reason or reason if said else reason or comparison.reason
            ratio = Interval(value=comparison.ratio, low=comparison.low, high=comparison.high)
            p_value = adjusted.get(id(comparison), 0.0)
            if said in ("FASTER", "SLOWER") and p_value > 1 - AT_LEVEL:
                said = "INCONCLUSIVE"
                of = words.count(len(adjusted), "comparison", "comparisons")
                reason = f"may be chance: p = {p_value:.2g}, adjusted for {of} (Holm)"
        seconds = [cell.step_seconds if cell else None for cell in (base, new)]
        return self._finding(
            pair,
            "speed",
            base=seconds[0].value if seconds[0] else None,
            new=seconds[1].value if seconds[1] else None,
            change=ratio,
            delta=self.delta,
            verdict=said,
            standing=STANDINGS.get(said or "", "open"),
            reason=reason,
        )

    def compile(self, pairs: Sequence[Both]) -> list[UpgradeFinding]:
        """The first call, which finds nothing compiled."""
        found = [
            Single(pair, base.compile_seconds, new.compile_seconds)
            for pair, base, new in self._measured(pairs)
            if base.compile_seconds and new.compile_seconds
        ]
        return self._singles("compile", "", found, COMPILE)

    def memory(self, pairs: Sequence[Both]) -> list[UpgradeFinding]:
        """The peak of a process per cell, kind by kind."""
        findings = []
        for kind, scatter in MEMORY.items():
            found = [
                Single(pair, getattr(base.memory, kind), getattr(new.memory, kind))
                for pair, base, new in self._measured(pairs)
                if getattr(base.memory, kind) and getattr(new.memory, kind)
            ]
            findings += self._singles("memory", kind, found, scatter)
        return findings

    def _singles(
        self, aspect: Aspect, what: str, found: Sequence[Single], scatter: Scatter
    ) -> list[UpgradeFinding]:
        changes = single.changes([(each.base, each.new) for each in found], scatter)
        adjusted = holm([p_value for _, p_value in changes])
        findings = []
        for each, (ratio, _), p_value in zip(found, changes, adjusted, strict=True):
            said = verdict(ratio, scatter.delta, None, p_value)
            findings.append(
                self._finding(
                    each.pair,
                    aspect,
                    what,
                    base=each.base,
                    new=each.new,
                    change=Interval(**ratio._asdict()),
                    delta=scatter.delta,
                    verdict=TURNED.get(said, said) if aspect == "memory" else said,
                    standing=STANDINGS.get(said, "open"),
                )
            )
        return findings

    def parity(self, pairs: Sequence[Both]) -> list[UpgradeFinding]:
        """The worst answer about a task in an execution and a precision, over its timed batches."""
        programs: dict[tuple[str, str, str], list[Both]] = {}
        for pair in pairs:
            cell = pair.any
            programs.setdefault((cell.task, cell.execution, cell.precision), []).append(pair)
        return [self._parity(ours) for ours in programs.values()]

    def _parity(self, pairs: Sequence[Both]) -> UpgradeFinding:
        base = _told(self.summary.parity, [pair.base for pair in pairs])
        new = _told(self.summary.parity, [pair.new for pair in pairs])
        before, now = proven(base), proven(new)
        standing: Standing = "open"
        if base and new and (before or now):
            standing = "unchanged" if before and now else "better" if now else "worse"
        worst = _worst(new) if new and not now else _worst(base)
        why = None if worst is None or worst.passed else _where(worst)
        if not base or not new:
            missing = [name for name, told in zip(NAMES, (base, new), strict=True) if not told]
            why = self._caution(pairs[0]) or f"not asked in {words.listed(missing)}"
        worst_of = [_worst(told) for told in (base, new)]
        finding = self._finding(
            pairs[0],
            "parity",
            base=worst_of[0].verdict if worst_of[0] else None,
            new=worst_of[1].verdict if worst_of[1] else None,
            verdict=worst_of[1].verdict if worst_of[1] else None,
            standing=standing,
            reason=why,
        )
        return finding.model_copy(update={"phase": None, "batch_size": None})

    def accuracy(self) -> list[UpgradeFinding]:
        """The test score of trainings to their end, where there are any."""
        names = (self.upgrade.base, self.upgrade.new)
        trained = [t for t in self.summary.trainings if t.backend in names and t.start == "stored"]
        compared = {
            (one.task, one.precision): one if one.new == names[1] else _turned(one)
            for one in self.summary.learning
            if {one.base, one.new} == {*names}
        }
        groups: dict[tuple[str, str], list[Training]] = {}
        for training in trained:
            groups.setdefault((training.task, training.precision), []).append(training)
        return [_learnt(ours, names, compared.get(key)) for key, ours in groups.items()]

    def unjudged(self, pairs: Sequence[Both]) -> list[str]:
        """What a gate stops at though it did not become worse."""
        found = []
        for pair in pairs:
            base, new = (self.digests.get(cell) if cell else None for cell in pair)
            judged = base and new and not {"absent", "unfit"} & {base.standing, new.standing}
            if not judged and compare.stops(base, new):
                cell = pair.any
                about = f"{cell.task} {cell.phase} ×{cell.batch_size} {cell.execution}"
                found.append(f"{about} {cell.precision}: {self._caution(pair) or 'not measured'}")
        return found

    def _measured(self, pairs: Sequence[Both]) -> Iterator[tuple[Both, CellSummary, CellSummary]]:
        for pair in pairs:
            base, new = (self._cell(cell) for cell in pair)
            if base is not None and new is not None:
                yield pair, base, new

    def _cell(self, cell: Cell | None) -> CellSummary | None:
        return None if cell is None else self.cells.get(cell)

    def _caution(self, pair: Both) -> str:
        digests: list[CellDigest | None] = [self.digests.get(c) if c else None for c in pair]
        return compare.caution(digests[0], digests[1], names=NAMES)

    def _finding(self, pair: Both, aspect: Aspect, what: str = "", **told: Any) -> UpgradeFinding:
        cell = pair.any
        about = ("task", "execution", "phase", "batch_size", "precision")
        named = {name: getattr(cell, name) for name in about}
        return UpgradeFinding(aspect=aspect, what=what, **named, **told)


def _told(results: Sequence[ParityResult], cells: Sequence[Cell | None]) -> list[ParityResult]:
    """The answers about these cells' program."""
    found = [answer for cell in cells if cell for answer in answers(cell, results)]
    return list({id(answer): answer for answer in found}.values())


def _worst(results: Sequence[ParityResult]) -> ParityResult | None:
    """One that did not pass, if there is one."""
    return min(results, key=lambda r: (r.passed, WORST_FIRST.index(r.verdict)), default=None)


def _where(result: ParityResult) -> str:
    """Where a difference was found, and what it may be."""
    at = result.location
    parts = (result.question, at and at.field, at and at.guess, result.reason)
    return ", ".join(part for part in parts if part)


def _turned(found: LearningSummary) -> LearningSummary:
    """The other way round: trainings end in any order."""
    ends = (None if end is None else -end for end in (found.high, found.low))
    told = dict(zip(("low", "high"), ends, strict=True))
    arms = {"base": found.new, "new": found.base}
    return found.model_copy(update={**arms, **told, "difference": -found.difference})


def _learnt(
    trained: Sequence[Training], names: tuple[str, str], found: LearningSummary | None
) -> UpgradeFinding:
    first = trained[0]
    score = SCORES[first.score]
    base, new = ([score.test(t) for t in trained if t.backend == name] for name in names)
    standing: Standing = "open"
    change, reason = None, None
    if found is None:
        lacks = [name for name, told in zip(NAMES, (base, new), strict=True) if not told]
        reason = f"not trained in {words.listed(lacks)}" if lacks else "no seed in common"
    else:
        low, high = found.low, found.high
        if low is not None and high is not None:
            change = Interval(value=found.difference, low=low, high=high)
        if found.verdict == "DIFFERENT":
            better = (found.difference > 0) == score.higher_is_better
            standing = "better" if better else "worse"
        elif found.verdict == "EQUIVALENT":
            standing = "unchanged"
        reason = words.settled_by(found)
    return UpgradeFinding(
        aspect="accuracy",
        what=score.name,
        task=first.task,
        execution=first.execution,
        precision=first.precision,
        base=sum(base) / len(base) if base else None,
        new=sum(new) / len(new) if new else None,
        change=change,
        delta=score.margin,
        verdict=found.verdict if found else None,
        standing=standing,
        reason=reason,
    )
