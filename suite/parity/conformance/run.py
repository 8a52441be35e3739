"""Does every check on one backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import isfinite
from pathlib import Path

from backends.base import NotSupported
from suite.engine.job import FAILURES
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import Reporter
from suite.engine.remote import RemoteBackend
from suite.parity.conformance import (  # noqa: F401 (register checks)
    layers,
    protocol,
    states,
    training,
    waits,
)
from suite.parity.conformance.checks import (
    CHECKS,
    ROUNDED,
    THRESHOLDS,
    Broken,
    Check,
    Errors,
    Result,
)
from suite.plan.configurations import Configuration
from suite.plan.estimate import AT_ONCE
from suite.plan.options import choose
from suite.worker.process import Limits, WorkerLost, WorkerSettings

COST_SECONDS = 1.0  # a check: from 0.25 (PyTorch, eager) to 2.5 (JAX) on 2 busy cores
ANSWER_SECONDS = 300.0  # compiling a program in PyTorch took up to a minute there


def pick(names: Sequence[str], cases: Sequence[str]) -> list[Check]:
    """The checks that these patterns match, and of them the cases; empty means all. UsageError for
    a pattern that matches nothing.
    """
    kept = choose("check", names or ("*",), dict.fromkeys(check.name for check in CHECKS))
    checks = [check for check in CHECKS if check.name in kept]
    known = dict.fromkeys(case for check in checks for case in check.cases)
    wanted = set(choose("case", cases or ("*",), known))
    found = (
        replace(check, cases={n: case for n, case in check.cases.items() if n in wanted})
        for check in checks
    )
    return [check for check in found if check.cases]


def conform(
    configurations: Sequence[Configuration],
    reference: Configuration,
    checks: Sequence[Check],
    files: Path,
    logs: Path,
    reporter: Reporter,
) -> list[Result]:
    """The answers of these checks in these configurations, two configurations at a time, each with
    its own workers. A worker that dies is started anew for the next check.
    """
    live, at_once = LiveWorkers(), min(AT_ONCE, len(configurations))
    settings = WorkerSettings(limits=Limits(answer_seconds=ANSWER_SECONDS), share=at_once)
    for configuration in configurations:
        for check in _checks(configuration, checks):
            reporter.expect(COST_SECONDS * len(check.cases))

    def do(number: int, configuration: Configuration) -> list[Result]:
        own = files / str(number)
        own.mkdir()
        with WorkerPool(live, logs, "conformance", settings) as pool:
            asked = (configuration, _reference(reference, configuration))
            adapter, oracle = (RemoteBackend(pool, one, own) for one in asked)
            return list(_configuration(adapter, oracle, checks, reporter))

    with ThreadPoolExecutor(at_once) as threads:
        try:
            found = list(threads.map(do, range(len(configurations)), configurations))
        except BaseException:
            live.end()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return [result for results in found for result in results]


def _configuration(
    adapter: RemoteBackend, reference: RemoteBackend, checks: Sequence[Check], reporter: Reporter
) -> Iterable[Result]:
    refusal: Exception | None = None
    try:
        adapter.pool.client(adapter.configuration)
    except FAILURES as error:  # it would be the same for every check
        refusal = error
    configuration = adapter.configuration
    for check in _checks(configuration, checks):
        of = f"{configuration.backend} {configuration.execution} in {configuration.precision}"
        what = f"{check.name}, {of}"
        reporter.start(what)
        for case in check.cases:
            result = _ask(check, case, adapter, reference, refusal)
            yield _hinted(result, check.hint(check.cases[case], configuration.precision))
        reporter.finish(what, COST_SECONDS * len(check.cases))


def _checks(configuration: Configuration, checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if configuration.precision in check.precisions]


def _reference(reference: Configuration, configuration: Configuration) -> Configuration:
    """What bfloat16 is compared with rounds where it is rounded, all else with float64."""
    return (
        replace(reference, precision=configuration.precision)
        if configuration.precision == ROUNDED
        else reference
    )


def _ask(
    check: Check,
    case: str,
    adapter: RemoteBackend,
    reference: RemoteBackend,
    refusal: Exception | None,
) -> Result:
    configuration = adapter.configuration
    result = Result(
        backend=configuration.backend,
        check=check.name,
        case=case,
        execution=configuration.execution,
        precision=configuration.precision,
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
            adapter.lose()
            reference.lose()
        return replace(result, verdict="failed", reason=str(error))
    except (KeyError, TypeError, ValueError) as error:  # arrays that are not what was asked for
        reason = f"the answer cannot be used: {type(error).__name__}: {error}"
        return replace(result, verdict="failed", reason=reason)
    return _judged(result, errors)


def _hinted(result: Result, hint: str | None) -> Result:
    wrong = result.verdict in ("fail", "failed")
    return replace(result, reason=f"{result.reason}; {hint}") if wrong and hint else result


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
