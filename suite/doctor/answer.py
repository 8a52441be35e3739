"""What the doctor says about one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DOCTOR_SCHEMA = "tribench/doctor/1"

Verdict = Literal["pass", "warning", "fail"]
Values = dict[str, float | None]


@dataclass(frozen=True)
class Answer:
    """``finding`` is a sentence, ``remedy`` how to mend it; ``values`` are the numbers in it, in
    seconds, bytes and shares. Only a self-test can fail.
    """

    name: str
    verdict: Verdict
    finding: str
    remedy: str | None = None
    values: Values = field(default_factory=dict)


def judged(
    name: str,
    good: bool,
    finding: str,
    remedy: str | None = None,
    values: Values | None = None,
    bad: Verdict = "warning",
) -> Answer:
    """An answer that has its remedy only where it is not ``good``, and is ``bad`` then."""
    return Answer(name, "pass" if good else bad, finding, None if good else remedy, values or {})
