"""The questions, asked of one program after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES, Job, JobGroup, Sink, status_of
from suite.engine.pool import WorkerPool
from suite.engine.remote import RemoteBackend
from suite.parity import function, optimizer_checks, precision, sizes, training
from suite.parity.attempt import Attempt
from suite.parity.ensemble import UNITS
from suite.parity.inquiry import Inquiry
from suite.parity.reference import Reference, ReferenceFailed, ReferenceLacks
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.plan.options import PHASES
from suite.records.schema import ParityRecord, ParityResult, Question
from suite.worker.environment import less_precise

EXACT = "float64"  # what the function is asked in
PRECISIONS = (EXACT, *UNITS)
USUAL = (EXACT, "float32")  # a port of one's own need not know bfloat16


def parity_configurations(configurations: Sequence[Configuration]) -> list[Configuration]:
    """Each configuration as the questions need it: in float64, and in its own precision."""
    asked: dict[tuple[str, str, str], Configuration] = {}
    for configuration in configurations:
        for each in (EXACT, configuration.precision):
            if each in PRECISIONS and not configuration.twin:
                key = (configuration.backend, configuration.execution, each)
                asked.setdefault(key, replace(configuration, precision=each))
    return list(asked.values())


def groups(
    configurations: Sequence[Configuration],
    all_inputs: Sequence[TaskInputs],
    references: Sequence[Reference],
    files: Path,
    thorough: bool = False,
) -> tuple[JobGroup, ...]:
    """A job group per program and part of the tasks, of which there is one per reference; a job per
    task and seed. ``thorough`` looks beyond the task's own data and recipe, at every layer alone
    and at the optimizer checks, and asks for the training.

    Every second program takes the tasks from the last to the first, so that two do not wait for the
    same answers of the reference (of all seven tasks, 100 s), and a backend's executions start one
    after the other, so that the slowest framework's do not come last together. Several parts begin
    with the largest tasks.
    """
    programs: dict[tuple[str, str], list[Configuration]] = {}
    for each in sorted(configurations, key=lambda each: PRECISIONS.index(each.precision)):
        programs.setdefault((each.backend, each.execution), []).append(each)
    backends = [backend for backend, _ in programs]
    turns = {key: backends[:number].count(key[0]) for number, key in enumerate(programs)}
    in_turn = sorted(programs, key=lambda key: turns[key])
    return tuple(
        JobGroup(
            suffix=f"parity-{execution}{f'-{part}' if part else ''}",
            jobs=_Questions(
                programs[backend, execution],
                references[part],
                files / f"{backend}-{execution}-{part}",  # optimizer checks' names have no task
                thorough,
            ).jobs(of_part[:: -1 if number % 2 else 1]),
        )
        for part, of_part in enumerate(_divided(all_inputs, len(references)))
        for number, (backend, execution) in enumerate(in_turn)
    )


def _divided(all_inputs: Sequence[TaskInputs], parts: int) -> list[list[TaskInputs]]:
    """By their tasks, the largest first, in turns."""
    if parts == 1:
        return [list(all_inputs)]
    operations = {m.task.name: m.task.model.flops() * m.task.batch_size for m in all_inputs}
    names = sorted(operations, key=lambda name: -operations[name])
    found = [[m for m in all_inputs if m.task.name in names[part::parts]] for part in range(parts)]
    return [of_part for of_part in found if of_part]


class _Questions:
    """A backend in one execution, in the precisions that are asked about."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        reference: Reference,
        files: Path,
        thorough: bool,
    ) -> None:
        self.configurations, self.reference = configurations, reference
        self.files, self.thorough = files, thorough
        self.updates: dict[tuple[str, ...], optimizer_checks.Answers] = {}  # by precision, checks

    def jobs(self, all_inputs: Sequence[TaskInputs]) -> tuple[Job, ...]:
        """In the order of the inputs, seeds of a task following each other."""
        before = [None, *(task_inputs.task for task_inputs in all_inputs)]
        return tuple(
            self._job(task_inputs, task_inputs.task == last)
            for task_inputs, last in zip(all_inputs, before, strict=False)
        )

    def _job(self, task_inputs: TaskInputs, built: bool) -> Job:
        task, first = task_inputs.task, self.configurations[0]

        def run(pool: WorkerPool, sink: Sink) -> None:
            self.files.mkdir(parents=True, exist_ok=True)
            for answer in self._answers(pool, task_inputs):
                sink.emit(ParityRecord, result=answer)
                if answer.verdict == "failed":
                    about = replace(first, precision=answer.precision)
                    sink.fail("parity", about, "failed", answer.reason or "", task.name)
            for each in self.configurations:
                RemoteBackend(pool, each, self.files).discard(task_inputs)

        costs = (estimate.parity(task, e, self.thorough, built) for e in self.configurations)
        return Job(
            id=f"parity/{task.name}/{task_inputs.seed}/{first.backend}/{first.execution}",
            label=f"parity of {task.name}, {first.backend} {first.execution}",
            cost_seconds=sum(costs),
            run=run,
        )

    def _answers(self, pool: WorkerPool, task_inputs: TaskInputs) -> Iterator[ParityResult]:
        """Of each question; one alone where the reference has nothing to compare with."""

        def inquiry(configuration: Configuration) -> Inquiry:
            return Inquiry(
                backend=RemoteBackend(pool, configuration, self.files),
                task_inputs=task_inputs,
                reference=self.reference,
            )

        exact = inquiry(replace(self.configurations[0], precision=EXACT))
        try:
            yield from self._asked(exact, inquiry)
        except ReferenceLacks as error:
            why = f"the reference: {error}; parity needs it in backends/numpy (see CONTRIBUTING.md)"
            yield exact.result("function", verdict="not_supported", reason=why)

    def _asked(
        self, exact: Inquiry, inquiry: Callable[[Configuration], Inquiry]
    ) -> Iterator[ParityResult]:
        @cache
        def of_function() -> ParityResult:
            asked = optimizer_checks.of(exact.task_inputs.task)
            updates = partial(self._updates, exact, asked) if self.thorough else None
            return _answer(exact, "function", partial(function.ask, exact, updates))

        for configuration in self.configurations:
            if configuration.precision == EXACT:
                yield of_function()
                continue
            own = inquiry(configuration)
            checks = partial(self._updates, own, optimizer_checks.PRECISE)
            updates = checks if self.thorough else None
            ask = partial(precision.ask, own, lambda: of_function().verdict, updates)
            answer = _answer(own, "precision", ask)
            yield answer
            judged = answer.verdict in ("same", "different", "precision_loss")
            if self.thorough and judged:  # a run asks the workers that time
                for phase in PHASES:
                    timed = Attempt(phase=phase, size=own.task_inputs.task.timed_batch_size)
                    answer = _answer(own, "function", partial(sizes.ask, own, timed))
                    yield answer.model_copy(update={"phase": phase, "batch_size": timed.size})
            # In bfloat16 rounding makes another training of it with the first step.
            if self.thorough and configuration.precision == "float32":
                yield _answer(own, "training", partial(training.ask, own))

    def _updates(
        self, inquiry: Inquiry, asked: Mapping[str, optimizer_checks.OptimizerCheck]
    ) -> optimizer_checks.Answers:
        key = (inquiry.configuration.precision, *asked)
        if key not in self.updates:
            self.updates[key] = optimizer_checks.answers(inquiry.backend, asked)
        return self.updates[key]


def _answer(inquiry: Inquiry, question: Question, ask: Callable[[], ParityResult]) -> ParityResult:
    """The answer, or why there is none; a worker that failed is given up."""
    if inquiry.configuration.refused is not None:
        status, reason = inquiry.configuration.refused
        refused = "not_available" if status == "not_available" else "not_supported"
        return inquiry.result(question, verdict=refused, reason=reason)
    try:
        return _explained(inquiry, ask())
    except ReferenceLacks:
        raise  # no other question has an answer either
    except ReferenceFailed as error:
        return inquiry.result(question, verdict="failed", reason=f"the reference: {error}")
    except FAILURES as error:
        inquiry.backend.lose()
        return inquiry.result(question, verdict=status_of(error), reason=str(error))


def _explained(inquiry: Inquiry, answer: ParityResult) -> ParityResult:
    """The same with the variables of the user's that may be why numbers are less precise."""
    if answer.verdict not in ("precision_loss", "different"):
        return answer
    settings, device = inquiry.backend.pool.settings, inquiry.configuration.device
    told = less_precise(device, settings.share, settings.environment)
    if not told:
        return answer
    reason = f"{answer.reason}; set in this environment, and may be why: {told}"
    return answer.model_copy(update={"reason": reason})
