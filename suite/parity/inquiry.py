"""Who is asked about what, and the words for what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from suite.engine import probe_batches
from suite.engine.inputs import TaskInputs
from suite.engine.remote import RemoteBackend
from suite.parity.reference import Reference
from suite.plan.configurations import Configuration
from suite.records.schema import Location, ParityResult, Question
from tasks.spec import ModelSpec

OWN_RULES = ("buffers", "update", "trained")  # what may be declared; the rest is the function


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """One backend in one precision, and one task."""

    backend: RemoteBackend
    task_inputs: TaskInputs
    reference: Reference

    @property
    def configuration(self) -> Configuration:
        """The backend's."""
        return self.backend.configuration

    @property
    def model(self) -> ModelSpec:
        """The task's."""
        return self.task_inputs.task.model

    def result(self, question: Question, **found: Any) -> ParityResult:
        """An answer; ``same`` unless something else was found."""
        answer = ParityResult(
            task=self.task_inputs.task.name,
            backend=self.configuration.backend,
            execution=self.configuration.execution,
            device=self.configuration.device,
            precision=self.configuration.precision,
            question=question,
            verdict="same",
            seed=self.task_inputs.seed,
            batch_size=probe_batches.size(self.task_inputs.task),
        )
        return answer.model_copy(update=found)

    def differences(self) -> dict[str, str]:
        """What of the task the built program does by a rule of its own, and why, by part. Raises
        what Worker.call raises.
        """
        found = self.backend.started(self.task_inputs).differences()
        return {part: why for part, why in found.items() if part in OWN_RULES}


def noted(answer: ParityResult, words: str | None) -> ParityResult:
    """The same with a note, if there is one, behind its reason."""
    reason = "; ".join(filter(None, (answer.reason, words)))
    return answer.model_copy(update={"reason": reason or None})


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
