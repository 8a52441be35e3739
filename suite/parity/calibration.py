"""Where the thresholds come from: what correct programs reach, and what known mistakes make.

In float64 a threshold is the geometric mean of the worst error of a correct program and the
smallest effect of a known mistake: as many orders of magnitude from the one as from the other.
In a program's own precision, where errors are told in units of the null ensemble, it is HEADROOM
times the worst that a correct program reaches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil, floor, inf, log10, sqrt

from suite.engine.arrays import read
from suite.engine.inputs import TaskInputs
from suite.errors import FAILED, CommandError
from suite.parity import cases, compare, ensemble, layer_checks, optimizer_checks
from suite.parity.known_mistakes import layers, optimizers
from suite.parity.reference import INSIDE, Reference, ReferenceFailed
from suite.parity.thresholds import Extreme, Limit, Limits
from suite.records.schema import ParityResult, Question
from tasks.spec import local
from tasks.spec.layer import SpecError

HEADROOM = 4.0  # two bits
LOOKS = ("alone", "drills")  # beside the whole, among a function's errors


class NotCorrect(CommandError):
    """What should be correct programs is not, or a known mistake would pass."""

    exit_code = FAILED


def derive(
    results: Sequence[ParityResult], mistakes: dict[str, Extreme], seeds: dict[str, int]
) -> Limits:
    """The limits from the answers of correct programs; NotCorrect if one computes another
    function, or if a mistake is no greater than what they do.
    """
    for result in results:
        if _asked_exactly(result) and result.wrong:
            raise NotCorrect(f"{_where(result)} is {result.verdict}: {result.reason}")
    of_function = [r for r in results if _asked_exactly(r) and r.errors]
    if not of_function:
        raise NotCorrect("no program answered, so that nothing is known of function")

    def limit(name: str) -> Limit:
        found = [(r.errors[name] if name in LOOKS else _whole(r), r) for r in of_function]
        return _between(name, _greatest(found), mistakes[name])

    return Limits(
        programs=sorted({f"{r.backend} {r.execution}" for r in of_function}),
        seeds=seeds,
        function=limit("function"),
        alone=limit("alone"),
        drills=limit("drills"),
        precision=_by_precision("precision", results),
        training=_by_precision("training", results)["float32"],
    )


def rederived(limits: Limits, results: Sequence[ParityResult]) -> Limits:
    """These limits with those of the precisions that programs were asked about now; NotCorrect if
    none was.
    """
    return limits.model_copy(
        update={"precision": limits.precision | _by_precision("precision", results)}
    )


def mistakes(reference: Reference, all_inputs: Sequence[TaskInputs]) -> dict[str, Extreme]:
    """The smallest effect of a known mistake on the whole of models that are not large, on a layer
    alone, and in the optimizer checks. Raises ReferenceFailed.
    """
    whole = [m for m in all_inputs if not ensemble.is_large(m.task)] or all_inputs[:1]
    # Each mistake where it shows most: no case shows all.
    alone = layer_checks.greatest(pair for m in all_inputs for pair in _of_layers(reference, m))
    return {
        "function": _smallest(pair for m in whole for pair in _of_whole(reference, m)),
        "alone": _smallest(alone.items()),
        "drills": _smallest(_of_updates(reference)),
    }


def _of_whole(reference: Reference, task_inputs: TaskInputs) -> Iterator[tuple[str, float]]:
    model = task_inputs.task.model
    wanted, parameters = reference.findings(task_inputs), model.with_ties(read(task_inputs.probe))
    for place in cases.distinct(model):
        for mistake in layers.unseen(place, parameters):
            try:
                found = reference.mistaken(task_inputs, [mistake.instead])
            except (ReferenceFailed, SpecError):  # it cannot be computed, so that nobody did
                continue
            error = max(compare.errors(found, wanted, INSIDE).values())
            yield f"{task_inputs.task.name} {place.path}: {mistake.words}", error


def _of_layers(reference: Reference, task_inputs: TaskInputs) -> Iterator[tuple[str, float]]:
    model, right = task_inputs.task.model, reference.alone(task_inputs)
    parameters = model.with_ties(read(task_inputs.probe))
    for case in cases.chosen(model):
        given = replace(case, parameters=local(parameters, case.path), finite=False)
        for mistake, found in reference.misled(given):
            every = layer_checks.errors(given, found, right[case.at])["output"]
            yield f"{task_inputs.task.name} {case.path}: {mistake.words}", max(every.values())


def _of_updates(reference: Reference) -> Iterator[tuple[str, float]]:
    every = optimizer_checks.UPDATES
    for name, right in reference.updates(every).items():
        for mistake in optimizers.mistakes(every[name]):
            made = optimizer_checks.ruled(mistake.instead)
            error = optimizer_checks.worst({name: made}, {name: right})
            yield f"{name}: {mistake.words}", error


def _asked_exactly(result: ParityResult) -> bool:
    """Is it about the function in float64? What is timed is held to limits of its own."""
    return result.question == "function" and result.phase is None


def _by_precision(question: Question, results: Sequence[ParityResult]) -> dict[str, Limit]:
    """The limits of each precision that programs were asked about."""
    found: dict[str, list[tuple[float, ParityResult]]] = {}
    for result in results:
        if result.question == question and result.error is not None:
            own = result.error
            if result.precision != "float32" and result.errors:
                own = _whole(result)  # for optimizer checks float32's limit holds in all precisions
            found.setdefault(result.precision, []).append((own, result))
    if not found:
        raise NotCorrect(f"no program answered, so that nothing is known of {question}")
    return {
        precision: Limit(threshold=_rounded_up(HEADROOM * worst.value), correct=worst)
        for precision, each in found.items()
        for worst in [_greatest(each)]
    }


def _whole(result: ParityResult) -> float:
    return max(value for part, value in result.errors.items() if part not in LOOKS)


def _where(result: ParityResult) -> str:
    return f"{result.task}, {result.backend} {result.execution}, seed {result.seed}"


def _greatest(found: Sequence[tuple[float, ParityResult]]) -> Extreme:
    value, result = max(found, key=lambda pair: pair[0])
    return Extreme(value=value, where=_where(result))


def _smallest(found: Iterable[tuple[str, float]]) -> Extreme:
    """Of those that change anything, and to something that can be told."""
    where, value = min((pair for pair in found if 0 < pair[1] < inf), key=lambda pair: pair[1])
    return Extreme(value=value, where=where)


def _between(name: str, correct: Extreme, mistake: Extreme) -> Limit:
    if mistake.value <= correct.value:
        what = f"{mistake.where} makes {mistake.value:.1e} of {name}"
        raise NotCorrect(f"{what}, no more than the correct {correct.where}: {correct.value:.1e}")
    value = sqrt(correct.value * mistake.value)
    return Limit(threshold=_rounded_up(value), correct=correct, mistake=mistake)


def _rounded_up(value: float) -> float:
    """To two digits."""
    scale = 10.0 ** (floor(log10(value)) - 1)
    return float(f"{ceil(value / scale) * scale:.2g}")
