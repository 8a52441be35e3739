"""Identical code against itself: what differs is noise, and nothing finer can be told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import median

from suite.analysis import words
from suite.analysis.statistics import DETERMINED, Estimate, estimate, quantile, reach
from suite.analysis.verdict import DELTA
from suite.doctor.answer import Answer, Values, judged
from suite.records.schema import FailureRecord

NAME = "A/A"
PROJECTED = (3, 5, 8, 12, 16)  # launches


def half_widths(found: Estimate, launches: int) -> dict[int, float]:
    """How far a 95 % interval would reach to each side of 1 with so many launches, if they scatter
    as these did: Student's t times the launches' standard deviation over the root of their number.
    """
    half = log(found.high / found.low) / 2
    deviation = half * sqrt(launches) / quantile(launches)
    return {n: exp(quantile(n) * deviation / sqrt(n)) - 1 for n in PROJECTED}


def answer(
    arm: str, task: str, launches: Sequence[Sequence[float]], failures: Sequence[FailureRecord]
) -> Answer:
    """``launches`` are the ratios twin / arm, round by round."""
    if len(launches) < 2:
        why = failures[0].reason if failures else "fewer than two launches were measured"
        finding = f"What {arm} differs by from itself could not be measured: {why}."
        return Answer(NAME, "warning", finding, "Ask tribench list whether it can run.")
    found = estimate(launches)
    quiet = found.low >= 1 - DELTA and found.high <= 1 + DELTA
    widths = half_widths(found, len(launches))
    ahead = ", ".join(f"{n}: {words.half_width(width)}" for n, width in widths.items())
    spread = f"{found.low:.3f} to {found.high:.3f}"
    if reach(*found) > DETERMINED:
        spread = words.not_determined([median(rounds) for rounds in launches])
    said = (
        f"{arm} against itself in {task}, {len(launches)} launches: {found.value:.3f} ({spread}), "
        f"{'inside' if quiet else 'not inside'} 1 ± {DELTA:g}"
    )
    verdicts = "" if quiet else "; on this machine now verdicts finer than that are noise"
    enough = [n for n, width in widths.items() if width <= DELTA]
    values: Values = {"ratio": found.value, "low": found.low, "high": found.high, "delta": DELTA}
    return judged(
        NAME,
        quiet,
        f"{said}{verdicts}. Half widths to expect by launches: {ahead}.",
        f"Launches: {enough[0]} or more would do, if the machine stays as it is."
        if enough
        else "Launches alone will not do: quieten the machine first, as below.",
        values | {f"half_width_{n}": width for n, width in widths.items()},
    )
