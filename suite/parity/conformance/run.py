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
from suite.parity.conformance import layers, programs, random  # noqa: F401 (register checks)
from suite.parity.conformance.checks import (
    CHECKS,
    ROUNDED,
    THRESHOLDS,
    Broken,
    Check,
    Errors,
    Result,
)
from suite.parity.layer_checks import compare
from suite.plan.configurations import Configuration
from suite.plan.estimate import AT_ONCE
from suite.plan.options import choose
from suite.worker.errors import sentence
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
    limits = Limits(answer_seconds=ANSWER_SECONDS)
    # Whole programs are built anew by several checks, and by the next call: JAX finds them.
    settings = WorkerSettings(limits=limits, share=at_once, cached=True)
    asked = {
        configuration: [each for each in checks if configuration.precision in each.precisions]
        for configuration in configurations
    }
    for owed in asked.values():
        reporter.expect(COST_SECONDS * sum(len(check.cases) for check in owed))

    def do(number: int, configuration: Configuration) -> list[Result]:
        own, right = files / str(number), reference
        own.mkdir()
        if configuration.precision == ROUNDED:  # all else is compared with float64
            right = replace(reference, precision=ROUNDED)
        with WorkerPool(live, logs, "conformance", settings) as pool:
            adapter, oracle = (RemoteBackend(pool, one, own) for one in (configuration, right))
            return list(_results(adapter, oracle, asked[configuration], reporter))

    with ThreadPoolExecutor(at_once) as threads:
        try:
            found = list(threads.map(do, range(len(configurations)), configurations))
        except BaseException:
            live.end()
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return [result for results in found for result in results]


def _results(
    adapter: RemoteBackend, reference: RemoteBackend, checks: Sequence[Check], reporter: Reporter
) -> Iterable[Result]:
    refusal: Exception | None = None
    try:
        adapter.pool.client(adapter.configuration)
    except FAILURES as error:  # it would be the same for every check
        refusal = error
    configuration = adapter.configuration
    of = f"{configuration.backend} {configuration.execution} in {configuration.precision}"
    for check in checks:
        what = f"{check.name}, {of}"
        reporter.start(what)
        for case in check.cases:
            result = _ask(check, case, adapter, reference, refusal)
            hint = check.hint(check.cases[case], configuration.precision)
            if hint and result.verdict == "fail":
                result = replace(result, reason=f"{result.reason}; {hint}")
            yield result
        reporter.finish(what, COST_SECONDS * len(check.cases))


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
        errors = check.do(adapter, check.cases[case])
        if check.same:
            errors = compare(errors, check.do(reference, check.cases[case]))
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
        reason = f"the answer cannot be used: {sentence(error)}"
        return replace(result, verdict="failed", reason=reason)
    return _judged(result, errors) if errors else result


def _judged(result: Result, errors: Errors) -> Result:
    threshold, worst = THRESHOLDS[result.precision], max(errors.values())
    result = replace(result, error=worst if isfinite(worst) else None, threshold=threshold)
    above = [name for name, error in errors.items() if error > threshold]
    if not above:
        return result
    first = errors[above[0]]  # in the order of computing
    what = f"{first:.1e} off" if isfinite(first) else "missing, misshapen or not finite"
    others = f", and {len(above) - 1} more" if above[1:] else ""
    reason = f"{above[0]} is {what}{others}; {threshold:g} is allowed"
    return replace(result, verdict="fail", reason=reason)
