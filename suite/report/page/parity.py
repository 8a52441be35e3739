"""The answers of ``tribench parity`` as a page: what differs, where, how many digits are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf

from suite.analysis import words
from suite.parity.thresholds import Limit, Limits
from suite.records.schema import ParityResult
from suite.report.page.page import frame, templates
from suite.report.page.parity_figures import by_program, figures
from suite.report.page.snippets import mark
from suite.report.page.styles import styles

QUESTIONS: Mapping[str, str] = {
    "function": "Is it the same function?",
    "precision": "Is it the same precision?",
    "training": "Is it the same training?",
    "timed": "Is it so with the batches that are timed?",
}
RELATIVE = "relative"  # the unit of errors in float64
NAMES = {
    "function": "function, the whole",
    "alone": "function, every layer alone",
    "drills": "function, loss and optimizers",
}
WORST_FIRST = ("different", "precision_loss", "failed", "not_supported", "not_available", "same")


@dataclass(frozen=True, kw_only=True)
class Held:
    """A limit, what it rests on, and the worst of these answers against it."""

    name: str
    unit: str
    limit: Limit
    worst: float | None

    def told(self, value: float | None) -> str:
        """A value in the limit's unit."""
        return words.error(value) if self.unit == RELATIVE else words.number(value)


def render_parity(
    results: Sequence[ParityResult], limits: Limits, facts: Mapping[str, Mapping[str, str]]
) -> str:
    """The page as HTML; ``facts`` are tribench's version and the backends', by name."""
    programs, asked = list(by_program(results)), [q for q in QUESTIONS if _of(q, results)]
    tasks = list(dict.fromkeys(result.task for result in results))
    return (
        templates()
        .get_template("parity.html")
        .render(
            headline=f"{_score(results)} the same",
            findings=[_finding(question, results) for question in asked],
            tasks=tasks,
            programs=programs,
            questions=asked,
            cells={
                (task, program, question): _worst(
                    r
                    for r in _of(question, results)
                    if (r.task, r.backend, r.execution) == (task, *program)
                )
                for task in tasks
                for program in programs
                for question in asked
            },
            apart=sorted((r for r in results if r.verdict != "same" or r.reason), key=_rank),
            error=_error,
            held=_held(results, limits),
            limits=limits,
            seeds=sorted({result.seed for result in results}),
            devices=sorted({result.device for result in results}),
            facts=facts,
            sections=figures(results),
            mark=partial(mark, styles(programs)),
            measured=programs,
            **frame(),
        )
    )


def _of(asked: str, results: Sequence[ParityResult]) -> list[ParityResult]:
    """Those to one of QUESTIONS."""
    return [result for result in results if _asked(result) == asked]


def _asked(result: ParityResult) -> str:
    return "timed" if result.phase else result.question


def _judged(results: Sequence[ParityResult]) -> list[ParityResult]:
    """Those that could be asked."""
    return [result for result in results if result.passed or result.wrong]


def _score(results: Sequence[ParityResult]) -> str:
    judged = _judged(results)
    return f"{sum(result.verdict == 'same' for result in judged)} of {len(judged)}"


def _rank(result: ParityResult) -> int:
    return WORST_FIRST.index(result.verdict)


def _finding(question: str, results: Sequence[ParityResult]) -> tuple[str, str, str]:
    """(kind, title, sentence) about one question."""
    asked = _judged(_of(question, results))
    wrong = dict.fromkeys(
        f"{result.task} in {result.backend} {result.execution} ({words.spaced(result.verdict)})"
        for result in asked
        if result.wrong
    )
    title = f"{QUESTIONS[question]} {_score(asked)}"
    if not asked:
        return ("caution", title, "Nothing could be asked; each says why.")
    if wrong:
        return ("bad", title, f"Not: {words.listed(list(wrong))}.")
    return ("good", title, "All that could be asked.")


def _worst(results: Iterable[ParityResult]) -> ParityResult | None:
    """The worst verdict, and of equals the greatest error."""
    return min(results, key=lambda r: (_rank(r), -(_error(r) or 0.0)), default=None)


def _error(result: ParityResult) -> float | None:
    """The worst error; that of an answer that has none to tell is not finite."""
    endless = result.error is None and result.verdict in ("different", "precision_loss")
    return inf if endless else result.error


def _held(results: Sequence[ParityResult], limits: Limits) -> list[Held]:
    def greatest(values: Sequence[float | None]) -> float | None:
        return max((value for value in values if value is not None), default=None)

    functions = _of("function", results)
    looks = {
        look: greatest([r.errors.get(look) for r in functions]) for look in ("alone", "drills")
    }
    whole = [value for r in functions for part, value in r.errors.items() if part not in looks]
    whole += [inf for r in functions if _error(r) == inf]
    worst = looks | {"function": greatest(whole)}
    worst["training"] = greatest([_error(r) for r in _of("training", results)])
    for precision in limits.precision:
        asked = [r for r in _of("precision", results) if r.precision == precision]
        worst[f"precision, {precision}"] = greatest([_error(r) for r in asked])
    return [
        Held(name=NAMES.get(key, key), unit=_unit(key), limit=limit, worst=worst[key])
        for key, limit in limits.all().items()
    ]


def _unit(key: str) -> str:
    if key.startswith("precision"):
        return "× the null ensemble's error"
    return "× the null ensemble's distance" if key == "training" else RELATIVE
