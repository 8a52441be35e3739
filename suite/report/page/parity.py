"""The answers of ``tribench parity`` as a page: what differs, where, how many digits are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from math import inf

from suite.analysis import words
from suite.parity.thresholds import Limits
from suite.records.schema import ParityResult
from suite.report.page.page import frame, templates
from suite.report.page.parity_figures import figures, programs_of
from suite.report.page.snippets import mark
from suite.report.page.styles import styles

QUESTIONS = ("function", "precision", "training", "timed")  # the last: with the timed batches
APART = ("alone", "drills")  # what of the function has limits of its own
WORST_FIRST = ("different", "precision_loss", "failed", "not_supported", "not_available", "same")


def render_parity(
    results: Sequence[ParityResult], limits: Limits, facts: Mapping[str, Mapping[str, str]]
) -> str:
    """The page as HTML; ``facts`` are tribench's version and the backends', by name."""
    programs = programs_of(results)
    asked = {question: _of(question, results) for question in QUESTIONS}
    asked = {question: answers for question, answers in asked.items() if answers}
    tasks = list(dict.fromkeys(result.task for result in results))
    return (
        templates()
        .get_template("parity.html")
        .render(
            judged=_judged(results),
            findings=[(question, _judged(answers)) for question, answers in asked.items()],
            wrong=_wrong,
            tasks=tasks,
            programs=programs,
            cells={
                (task, program, question): _worst(
                    r for r in answers if (r.task, r.backend, r.execution) == (task, *program)
                )
                for task in tasks
                for program in programs
                for question, answers in asked.items()
            },
            apart=sorted((r for r in results if r.verdict != "same" or r.reason), key=_rank),
            error=_error,
            worst=_extremes(results, limits),
            limits=limits,
            seeds=sorted({result.seed for result in results}),
            devices=sorted({result.device for result in results}),
            facts=facts,
            sections=figures(results),
            mark=partial(mark, styles(programs)),
            measured=programs,
            **frame(("text", "theme", "tables", "figures")),
        )
    )


def _of(question: str, results: Sequence[ParityResult]) -> list[ParityResult]:
    """The answers to one of QUESTIONS."""
    return [r for r in results if ("timed" if r.phase else r.question) == question]


def _judged(results: Sequence[ParityResult]) -> list[ParityResult]:
    """Those that could be asked."""
    return [result for result in results if result.passed or result.wrong]


def _wrong(results: Sequence[ParityResult]) -> list[str]:
    """What did not pass, each once."""
    found = (
        f"{result.task} in {result.backend} {result.execution} ({words.spaced(result.verdict)})"
        for result in results
        if result.wrong
    )
    return list(dict.fromkeys(found))


def _rank(result: ParityResult) -> int:
    return WORST_FIRST.index(result.verdict)


def _worst(results: Iterable[ParityResult]) -> ParityResult | None:
    """The worst verdict, and of equals the greatest error."""
    return min(results, key=lambda r: (_rank(r), -(_error(r) or 0.0)), default=None)


def _error(result: ParityResult) -> float | None:
    """The worst error; that of an answer that has none to tell is not finite."""
    endless = result.error is None and result.verdict in ("different", "precision_loss")
    return inf if endless else result.error


def _extremes(results: Sequence[ParityResult], limits: Limits) -> dict[str, float | None]:
    """The worst of these answers against each limit, by the limit's name."""
    functions = _of("function", results)
    errors: dict[str, list[float | None]] = {
        part: [result.errors.get(part) for result in functions] for part in APART
    }
    errors["function"] = [
        error for result in functions for part, error in result.errors.items() if part not in APART
    ]
    errors["function"] += [inf for result in functions if _error(result) == inf]
    errors["training"] = [_error(result) for result in _of("training", results)]
    for precision in limits.precision:
        errors[f"precision, {precision}"] = [
            _error(result) for result in _of("precision", results) if result.precision == precision
        ]
    return {
        name: max((error for error in found if error is not None), default=None)
        for name, found in errors.items()
    }
