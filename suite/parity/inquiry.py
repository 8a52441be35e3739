"""Who is asked about what, and the words for what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from suite import probing
from suite.crew import Crew
from suite.material import Material
from suite.parity.findings import beginning
from suite.parity.reference import Reference
from suite.plan import Lane
from suite.store.schema import Location, ParityResult, Question

OWN_RULES = ("buffers", "update", "trained")  # what may be declared; the rest is the function


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """One backend in one precision, and one task. Arrays travel through ``files``."""

    crew: Crew
    lane: Lane
    material: Material
    reference: Reference
    files: Path

    @property
    def beginning(self) -> str:
        """How the names of its files begin."""
        return beginning(self.lane, self.material, self.files)

    def result(self, question: Question, **found: Any) -> ParityResult:
        """An answer; ``same`` unless something else was found."""
        answer = ParityResult(
            task=self.material.task.name,
            backend=self.lane.arm.name,
            execution=self.lane.execution,
            device=self.lane.device,
            precision=self.lane.precision,
            question=question,
            verdict="same",
            seed=self.material.seed,
            batch_size=probing.size(self.material.task),
        )
        return answer.model_copy(update=found)

    def differences(self) -> dict[str, str]:
        """What of the task the built program does by a rule of its own, and why, by part. Raises
        what Worker.call raises.
        """
        worker = self.crew.member(self.lane).worker
        found: dict[str, str] = worker.call("differences", task=self.material.task.name)
        return {part: why for part, why in found.items() if part in OWN_RULES}


def named(location: Location) -> str:
    """``layer conv1``, ``loss``, ``optimizer fc.weight, field epsilon``."""
    name = location.kind if location.kind == location.path else f"{location.kind} {location.path}"
    return name if location.field is None else f"{name}, field {location.field}"


def told(error: float) -> str:
    """An error in words."""
    return f"{error:.1e}" if isfinite(error) else "more than can be told"


def finite(error: float) -> float | None:
    """None where it cannot be told."""
    return error if isfinite(error) else None


def all_finite(errors: Mapping[str, float]) -> dict[str, float]:
    """Those that can be told."""
    return {name: value for name, value in errors.items() if isfinite(value)}
