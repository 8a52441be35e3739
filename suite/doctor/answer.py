"""What the doctor says about one thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DOCTOR_SCHEMA = "tribench/doctor/1"

Verdict = Literal["pass", "warning", "fail"]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """``finding`` is a sentence, ``remedy`` how to mend it; ``values`` are the numbers in it, in
    seconds, bytes and shares. Only a self-test can fail.
    """

    name: str
    verdict: Verdict
    finding: str
    remedy: str | None = None
    values: dict[str, float | None] = field(default_factory=dict)
