"""The limits of correct programs, as ``tribench calibrate`` derived and recorded them."""

from __future__ import annotations

import json
from pathlib import Path

RECORD = Path(__file__).with_name("thresholds.json")

_FOUND: dict[str, float] = json.loads(RECORD.read_text("utf-8"))

FUNCTION = _FOUND["function"]  # of every value of the whole, relative
ALONE = _FOUND["alone"]  # of a layer alone
DRILLS = _FOUND["drills"]  # of the loss and of updates
PRECISION = _FOUND["precision"]  # in units of the null ensemble
TRAINING = _FOUND["training"]
