"""An upgrade as people read it: one table of findings in three parts, and how many there are of
each, the same in the terminal, in Markdown and on the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from suite.analysis import upgrade, words
from suite.analysis.scores import SCORES
from suite.records.schema import Aspect, Standing, UpgradeFinding, UpgradeSummary
from suite.report.grouping import grouped

HEADS = ("aspect", "of", "verdict", "NEW / OLD (95 %)", "OLD", "NEW", "note")
VERDICT = HEADS.index("verdict")
ASPECTS: dict[Aspect, tuple[str, str]] = {  # what each is called, and what it is
    "speed": ("Speed", "The time of a step, paired in one run."),
    "compile": ("Compile time", "The first call in a fresh process, once in each arm."),
    "memory": ("Memory", "The peak of a fresh process, once in each arm."),
    "parity": ("Parity", "Each arm against the float64 reference."),
    "accuracy": ("Accuracy", "Trainings to the end with the same seeds; NEW less OLD."),
}
STANDINGS: dict[Standing, str] = {
    "worse": "worse",
    "better": "better",
    "unchanged": "not changed",
    "open": "not told",
}
PARTS: dict[str, tuple[Standing, ...]] = {
    "What changed": ("worse", "better"),
    "What did not change": ("unchanged",),
    "What could not be told": ("open",),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A finding in words, by HEADS; of several that have no value and one reason one row."""

    finding: UpgradeFinding
    texts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How an aspect stands: how many findings there are of each standing."""

    aspect: Aspect
    name: str
    note: str
    amounts: dict[Standing, int]

    @property
    def told(self) -> str:
        """``1 worse, 3 not changed``."""
        return _amounts(self.amounts)


def title(found: UpgradeSummary) -> str:
    """The requirements, older first."""
    return " → ".join(one or arm for one, arm in zip(*_named(found), strict=True))


def _named(found: UpgradeSummary) -> tuple[tuple[str, str], tuple[str, str]]:
    return found.upgrade.requirements, (found.upgrade.base, found.upgrade.new)


def headline(found: UpgradeSummary) -> str:
    """How many findings there are of each standing."""
    amounts = {each: len(found.of(each)) for each in STANDINGS}
    told = _amounts(amounts) or "Nothing was found"
    more = f"; {len(found.unjudged)} cells not judged" if found.unjudged else ""
    return f"{told}{more}"


def build(found: UpgradeSummary) -> str:
    """A caution where the arms were built for different devices; else nothing."""
    base, new = found.builds
    if base == new or upgrade.UNKNOWN in found.builds:
        return ""
    return (
        f"OLD is a build for {base}, NEW a build for {new}: what differs may come from the builds, "
        "not from the versions."
    )


def tallies(found: UpgradeSummary) -> list[Tally]:
    """The aspects of which there is anything, in their order."""
    of = grouped(found.findings, lambda each: each.aspect)
    return [
        Tally(
            aspect=aspect,
            name=name,
            note=note,
            amounts={
                standing: sum(each.standing == standing for each in of[aspect])
                for standing in STANDINGS
            },
        )
        for aspect, (name, note) in ASPECTS.items()
        if aspect in of
    ]


def parts(found: UpgradeSummary) -> dict[str, list[Row]]:
    """The rows of each part that has any."""
    rows = {name: _rows(found.of(*standings)) for name, standings in PARTS.items()}
    return {name: ours for name, ours in rows.items() if ours}


def _rows(findings: Sequence[UpgradeFinding]) -> list[Row]:
    """In the order of STANDINGS, then as they come."""
    order = [*STANDINGS]
    found = sorted(findings, key=lambda each: order.index(each.standing))
    alike = grouped(found, lambda one: _key(one, found.index(one)))
    return [_row(ours) for ours in alike.values()]


def _key(one: UpgradeFinding, place: int) -> tuple[object, ...]:
    """What rows are put together by."""
    bare = one.base is None and one.new is None and one.reason is not None
    return (one.aspect, one.reason) if bare else (place,)


def _row(findings: Sequence[UpgradeFinding]) -> Row:
    first = findings[0]
    of = upgrade.work(first)
    if len(findings) > 1:
        tasks = dict.fromkeys(each.task for each in findings)
        of = f"{len(findings)} of {words.listed([*tasks])}"
    told = (_verdict(first), _change(first), _value(first, first.base), _value(first, first.new))
    return Row(finding=first, texts=(upgrade.aspect(first), of, *told, first.reason or ""))


def _value(found: UpgradeFinding, value: float | str | None) -> str:
    """With its unit."""
    if value is None:
        return words.NOT_AVAILABLE
    if isinstance(value, str):
        return words.spaced(value)
    if found.aspect == "speed":
        return f"{words.in_milliseconds(value)} ms"
    if found.aspect == "compile":
        return f"{words.number(value)} s"
    if found.aspect == "memory":
        return f"{words.mebibytes(int(value))} MiB"
    score = next(each for each in SCORES.values() if each.name == found.what)
    return f"{score.scale * value:.{score.digits}f} {score.unit}"


def _change(found: UpgradeFinding) -> str:
    if found.change is None:
        return ""
    if found.aspect != "accuracy":
        one = found.change.low == found.change.high
        return words.factor(found.change.value) if one else words.times(found.change)
    score = next(each for each in SCORES.values() if each.name == found.what)
    told = [
        f"{score.scale * end:+.{score.digits}f}"
        for end in (found.change.value, found.change.low, found.change.high)
    ]
    return f"{told[0]} ({told[1]} to {told[2]}) {score.apart}"


def _verdict(found: UpgradeFinding) -> str:
    """With what counts as equivalent, which differs from aspect to aspect."""
    if found.verdict is None:
        return "no verdict"
    if found.aspect in ("parity", "accuracy") or found.delta is None:
        return words.spaced(found.verdict)
    return f"{found.verdict} (δ {100 * found.delta:g} %)"


def _amounts(amounts: dict[Standing, int]) -> str:
    return ", ".join(f"{amounts[each]} {name}" for each, name in STANDINGS.items() if amounts[each])
