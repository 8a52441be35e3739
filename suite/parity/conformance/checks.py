"""What a check is, and what comes of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from suite.engine.remote import RemoteBackend

Errors = Mapping[str, float]  # by array; infinite where one is missing, misshapen or not finite
Verdict = Literal["pass", "fail", "not_supported", "failed"]
Do = Callable[[RemoteBackend, Any], Mapping[str, Any]]
Hint = Callable[[Any, str], str | None]

CONFORMANCE_SCHEMA = "tribench/conformance/1"

# As in suite.parity.gate: ten orders of magnitude below the smallest realistic mistake, and the
# rounding of models of this size with a margin.
# In bfloat16, whose values are 8e-3 apart, correct layers strayed by up to 0.05 (convolutions in
# TensorFlow; others 0.03), and normalizations that take their mean in bfloat16 by 0.18 or more.
THRESHOLDS = {"float64": 1e-9, "float32": 1e-5, "bfloat16": 0.1}
ROUNDED = "bfloat16"
EXACT = ("float64", "float32")  # in these every check is done


class Broken(Exception):
    """The adapter does not do what it owes; the message says what it did."""


CHECKS: list[Check] = []


@dataclass(frozen=True)
class Check:
    """Something that an adapter owes, in several cases, in these precisions. It registers the
    function that it decorates: ``do(backend, case)`` raises Broken, or gives arrays where they are
    to be the ``same`` as the reference's, else the errors to judge, none where there is nothing to
    measure.
    ``hint(case, precision)`` tells what may be forgotten where that does not pass.
    """

    name: str
    cases: Mapping[str, Any]
    precisions: tuple[str, ...] = EXACT
    hint: Hint = lambda case, precision: None
    same: bool = False
    do: Do = lambda backend, case: {}

    def __call__(self, do: Do) -> Do:
        CHECKS.append(replace(self, do=do))
        return do


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
