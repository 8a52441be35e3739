"""Does every check on one backend."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isfinite
from pathlib import Path

from backends.base import NotSupported
from suite.conformance import (  # noqa: F401 (register checks)
    layers,
    manners,
    states,
    training,
    waits,
)
from suite.conformance.checks import CHECKS, THRESHOLDS, Broken, Check, Errors, Result
from suite.cost import AT_ONCE
from suite.crew import Crew, Roster
from suite.plan import Lane
from suite.progress import Reporter
from suite.subject import Subject
from suite.work import FAILURES
from suite.worker.host import Limits, WorkerLost

COST_SECONDS = 1.0  # a check: from 0.25 (PyTorch, eager) to 2.5 (JAX) on 2 busy cores
ANSWER_SECONDS = 300.0  # compiling a program in PyTorch took up to a minute there


def conform(
    lanes: Sequence[Lane],
    reference: Lane,
    names: Collection[str],
    files: Path,
    logs: Path,
    reporter: Reporter,
) -> list[Result]:
    """The answers of the checks of these names in these lanes, two lanes at a time, each with
    workers of its own. A worker that dies is started anew for the next check.
    """
    roster = Roster(Limits(answer_seconds=ANSWER_SECONDS))
    for lane in lanes:
        for check in _checks(lane, names):
            reporter.expect(COST_SECONDS * len(check.cases))
    at_once = min(AT_ONCE, len(lanes))

    def do(number: int, lane: Lane) -> list[Result]:
        own = files / str(number)
        own.mkdir()
        with Crew(roster, logs, "conformance", share=at_once) as crew:
            adapter, oracle = (Subject(crew, one, own) for one in (lane, reference))
            return list(_lane(adapter, oracle, names, reporter))

    with ThreadPoolExecutor(at_once) as pool:
        try:
            found = list(pool.map(do, range(len(lanes)), lanes))
        except BaseException:
            roster.end()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [result for results in found for result in results]


def _lane(
    adapter: Subject, reference: Subject, names: Collection[str], reporter: Reporter
) -> Iterable[Result]:
    refusal: Exception | None = None
    try:
        adapter.crew.member(adapter.lane)
    except FAILURES as error:  # it would be the same for every check
        refusal = error
    lane = adapter.lane
    for check in _checks(lane, names):
        what = f"{check.name}, {lane.arm.name} {lane.execution} in {lane.precision}"
        reporter.start(what)
        for case in check.cases:
            yield _ask(check, case, adapter, reference, refusal)
        reporter.finish(what, COST_SECONDS * len(check.cases))


def _checks(lane: Lane, names: Collection[str]) -> list[Check]:
    return [one for one in CHECKS if one.name in names and lane.precision in one.precisions]


def _ask(
    check: Check, case: str, adapter: Subject, reference: Subject, refusal: Exception | None
) -> Result:
    lane = adapter.lane
    result = Result(
        backend=lane.arm.name,
        check=check.name,
        case=case,
        execution=lane.execution,
        precision=lane.precision,
        verdict="pass",
    )
    try:
        if refusal is not None:
            raise refusal
        errors = check.do(adapter, reference, check.cases[case])
    except Broken as error:
        return replace(result, verdict="fail", reason=str(error))
    except NotSupported as error:
        return replace(result, verdict="not_supported", reason=str(error))
    except FAILURES as error:
        if isinstance(error, WorkerLost):
            adapter.crew.lose(adapter.lane)
            adapter.crew.lose(reference.lane)
        return replace(result, verdict="failed", reason=str(error))
    except (KeyError, TypeError, ValueError) as error:  # arrays that are not what was asked for
        reason = f"the answer cannot be used: {type(error).__name__}: {error}"
        return replace(result, verdict="failed", reason=reason)
    return _judged(result, errors)


def _judged(result: Result, errors: Errors) -> Result:
    if not errors:
        return result
    threshold = THRESHOLDS[result.precision]
    worst = max(errors.values())
    result = replace(result, error=worst if isfinite(worst) else None, threshold=threshold)
    above = [name for name, error in errors.items() if error > threshold]
    if not above:
        return result
    first = errors[above[0]]  # in the order of computing
    what = f"{first:.1e} off" if isfinite(first) else "missing, misshapen or not finite"
    others = f", and {len(above) - 1} more" if above[1:] else ""
    reason = f"{above[0]} is {what}{others}; {threshold:g} is allowed"
    return replace(result, verdict="fail", reason=reason)
