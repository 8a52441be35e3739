"""What a check is, and what comes of one; ``check`` registers a function as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suite.engine.remote import RemoteBackend

Arrays = Mapping[str, NDArray[Any]]
Errors = dict[str, float]  # by array; infinite where one is missing, misshapen or not finite
Verdict = Literal["pass", "fail", "not_supported", "failed"]
Do = Callable[[RemoteBackend, RemoteBackend, Any], Errors]
Hint = Callable[[Any, str], str | None]

CONFORMANCE_SCHEMA = "tribench/conformance/1"

# As in suite.parity.gate: ten orders of magnitude below the smallest realistic mistake, and the
# rounding of models of this size with a margin.
# In bfloat16, whose values are 8e-3 apart, correct layers strayed by up to 0.05 (convolutions in
# TensorFlow; others 0.03), and normalizations that take their mean in bfloat16 by 0.18 or more.
THRESHOLDS = {"float64": 1e-9, "float32": 1e-5, "bfloat16": 0.1}
ROUNDED = "bfloat16"
EXACT = ("float64", "float32")  # in these every check is done

# Below this norm errors are absolute: what should be 0 has no relative error.
LEAST_NORM = 1e-3


class Broken(Exception):
    """The adapter does not do what it owes; the message says what it did."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something that an adapter owes, in several cases. ``do(adapter, reference, case)`` gives the
    errors to judge, none where there is nothing to measure, or raises Broken. ``hint(case,
    precision)`` tells what may be forgotten where that does not pass.
    """

    name: str
    cases: Mapping[str, Any]
    precisions: tuple[str, ...]
    do: Do
    hint: Hint


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer of one check in one case. ``fail``: it does something else than it owes;
    ``failed``: that could not be seen, because the worker raised an error or died.
    """

    backend: str
    check: str
    case: str
    execution: str
    precision: str
    verdict: Verdict
    error: float | None = None
    threshold: float | None = None
    reason: str | None = None


CHECKS: list[Check] = []


def check(
    name: str,
    cases: Mapping[str, Any],
    precisions: tuple[str, ...] = EXACT,
    hint: Hint = lambda case, precision: None,
) -> Callable[[Do], Do]:
    """Register a function as a check, to be done in these precisions."""

    def register(do: Do) -> Do:
        CHECKS.append(Check(name=name, cases=cases, precisions=precisions, do=do, hint=hint))
        return do

    return register


def compare(found: Arrays, wanted: Arrays) -> Errors:
    """The error ‖found - wanted‖ / ‖wanted‖ of every wanted array."""
    return {name: _error(found.get(name), array) for name, array in wanted.items()}


def _error(found: NDArray[Any] | None, wanted: NDArray[Any]) -> float:
    if found is None or found.shape != wanted.shape:
        return inf
    error = float(np.linalg.norm(found - wanted))
    return error / max(float(np.linalg.norm(wanted)), LEAST_NORM) if isfinite(error) else inf
