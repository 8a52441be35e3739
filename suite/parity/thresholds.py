"""The limits of correct programs, as ``tribench calibrate`` derived and recorded them."""

from __future__ import annotations

from pathlib import Path

from suite.records.schema import Model

RECORD = Path(__file__).with_name("thresholds.json")


class Extreme(Model):
    """The worst of correct programs, or the smallest of mistakes, and where it was seen."""

    value: float
    where: str


class Limit(Model):
    """``mistake`` is known of what is asked in float64."""

    threshold: float
    correct: Extreme
    mistake: Extreme | None = None


class Limits(Model):
    """Of every value of the whole, of a layer alone and of the optimizer checks, relative; of each
    precision, and of training, in units of the null ensemble. ``seeds`` is how many of each task
    were looked at.
    """

    programs: list[str]
    seeds: dict[str, int]
    function: Limit
    alone: Limit
    drills: Limit  # the name in thresholds.json
    precision: dict[str, Limit]
    training: Limit

    def all(self) -> dict[str, Limit]:
        """Every one by a name to show."""
        return {
            **{name: getattr(self, name) for name in ("function", "alone", "drills")},
            **{f"precision, {name}": limit for name, limit in self.precision.items()},
            "training": self.training,
        }


LIMITS = Limits.model_validate_json(RECORD.read_text("utf-8"))

FUNCTION = LIMITS.function.threshold
ALONE = LIMITS.alone.threshold
CHECKS = LIMITS.drills.threshold
PRECISION = {name: limit.threshold for name, limit in LIMITS.precision.items()}
# No program computes in TF32 where thresholds are derived, on the CPU. With bfloat16's one passes
# that truncates operands instead of rounding them, as tensor cores may: 4.4 times the error at most
# (the reference made to, three seeds of five tasks). bfloat16's operands have 2 to 16 times.
PRECISION["tf32"] = PRECISION["bfloat16"]
TRAINING = LIMITS.training.threshold
