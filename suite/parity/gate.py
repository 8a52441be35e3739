"""The questions, asked of one program after the other: by a run, and from the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES, Job, JobGroup, Sink, Stage, status_of
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.progress import reporter
from suite.engine.remote import RemoteBackend
from suite.engine.scheduler import perform
from suite.files import keep_logs, scratch
from suite.parity import findings, function, optimizer_checks, precision, sizes
from suite.parity.inquiry import Inquiry, noted
from suite.parity.reference import EXACT, Reference, ReferenceFailed, ReferenceLacks, opened
from suite.plan import estimate
from suite.plan.configurations import Configuration, reference_configuration
from suite.plan.options import PHASES
from suite.records.schema import ParityRecord, ParityResult, Question
from suite.store import directory
from suite.store.directory import RunDirectory
from suite.worker.environment import less_precise
from suite.worker.installations import Installation
from suite.worker.process import WorkerSettings
from tasks.base import Task

CACHED = WorkerSettings(cached=True)


def parity_configurations(configurations: Sequence[Configuration]) -> list[Configuration]:
    """Each configuration as the questions need it: in float64, and in its own precision."""
    asked: dict[tuple[str, str, str], Configuration] = {}
    for configuration in configurations:
        for each in (EXACT, configuration.precision):
            if not configuration.twin:
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
    and at the optimizer checks, and asks for the training. All are asked about without dropout,
    which draws other numbers in every framework.

    Every second program takes the tasks from the last to the first, so that two do not wait for the
    same answers of the reference (of all seven tasks, 100 s), and a backend's executions start one
    after the other, so that the slowest framework's do not come last together. Several parts begin
    with the largest tasks.
    """
    programs: dict[tuple[str, str], list[Configuration]] = {}
    for each in configurations:
        programs.setdefault((each.backend, each.execution), []).append(each)
    backends = [backend for backend, _ in programs]
    turns = {key: backends[:number].count(key[0]) for number, key in enumerate(programs)}
    in_turn = sorted(programs, key=lambda key: turns[key])
    return tuple(
        JobGroup(
            suffix=f"parity-{execution}{f'-{part}' if part else ''}",
            jobs=tuple(
                _Questions(
                    programs[backend, execution],
                    references[part],
                    files / f"{backend}-{execution}-{part}",  # optimizer checks' names have no task
                    thorough,
                ).jobs(of_part[:: -1 if number % 2 else 1])
            ),
        )
        for part, of_part in enumerate(
            _divided([each.without_dropout for each in all_inputs], len(references))
        )
        for number, (backend, execution) in enumerate(in_turn)
    )


def _divided(all_inputs: Sequence[TaskInputs], parts: int) -> list[list[TaskInputs]]:
    """By their tasks, the largest first, in turns."""
    operations = {m.task.name: m.task.model.flops() * m.task.batch_size for m in all_inputs}
    names = sorted(operations, key=lambda name: -operations[name])
    found = [[m for m in all_inputs if m.task.name in names[part::parts]] for part in range(parts)]
    return [of_part for of_part in found if of_part]


@dataclass
class _Questions:
    """A backend in one execution, in the precisions that are asked about; ``updates`` are what it
    makes of optimizer checks, by precision and checks with their names.
    """

    configurations: Sequence[Configuration]
    reference: Reference
    files: Path
    thorough: bool
    updates: dict[tuple[Any, ...], optimizer_checks.Answers] = field(default_factory=dict)

    def jobs(self, all_inputs: Sequence[TaskInputs]) -> Iterator[Job]:
        """In the order of the inputs, seeds of a task following each other."""
        first, before = self.configurations[0], ""
        for task_inputs in all_inputs:
            task, seed = task_inputs.task, task_inputs.seed
            costs = [
                estimate.parity(task, each, self.thorough, built=task.name == before)
                for each in self.configurations
            ]
            yield Job(
                id=f"parity/{task.name}/{seed}/{first.backend}/{first.execution}",
                label=f"parity of {task.name}, {first.backend} {first.execution}",
                cost_seconds=sum(costs),
                run=partial(self._ask, task_inputs),
            )
            before = task.name

    def _ask(self, task_inputs: TaskInputs, pool: WorkerPool, sink: Sink) -> None:
        self.files.mkdir(parents=True, exist_ok=True)
        for answer in self._answers(pool, task_inputs):
            sink.emit(ParityRecord, result=answer)
            if answer.verdict == "failed":
                about = replace(self.configurations[0], precision=answer.precision)
                reason = answer.reason or ""
                sink.fail("parity", about, "failed", reason, task_inputs.task.name)
        for each in self.configurations:
            RemoteBackend(pool, each, self.files).discard(task_inputs)

    def _answers(self, pool: WorkerPool, task_inputs: TaskInputs) -> Iterator[ParityResult]:
        """Of each question; one alone where the reference has nothing to compare with."""
        first = self.configurations[0]
        exact, *others = (
            Inquiry(
                backend=RemoteBackend(pool, each, self.files),
                task_inputs=task_inputs,
                reference=self.reference,
            )
            for each in (replace(first, precision=EXACT), *self.configurations)
        )
        try:
            yield from self._asked(exact, others)
        except ReferenceLacks as error:
            where = "parity needs it in backends/numpy (see docs/extending.md#add-a-layer)"
            why = f"the reference: {error}; {where}"
            yield exact.result("function", verdict="not_supported", reason=why)

    def _asked(self, exact: Inquiry, inquiries: Sequence[Inquiry]) -> Iterator[ParityResult]:
        task = exact.task_inputs.task

        @cache
        def of_function() -> ParityResult:
            updates = self._updates(exact, optimizer_checks.of(task))
            return _answer(exact, "function", function.ask, updates)

        for own in inquiries:
            if own.configuration.precision == EXACT:
                yield of_function()
                exact.backend.discard(exact.task_inputs)
                if task.real_size:  # it has all of the machine's memory to itself
                    exact.backend.lose()
                continue
            updates = self._updates(own, optimizer_checks.PRECISE)
            answer = _answer(
                own, "precision", precision.ask, lambda: of_function().verdict, updates
            )
            yield answer
            judged = answer.verdict in ("same", "different", "precision_loss")
            if self.thorough and judged:  # a run asks the workers that time
                for phase in PHASES:
                    timed = findings.Attempt(phase=phase, size=task.timed_batch_size)
                    answer = _answer(own, "function", sizes.ask, timed)
                    yield answer.model_copy(update={"phase": phase, "batch_size": timed.size})
            # In bfloat16 rounding makes another training of it with the first step.
            if self.thorough and own.configuration.precision == "float32":
                yield _answer(own, "training", precision.ask_training)

    def _updates(
        self, inquiry: Inquiry, asked: optimizer_checks.Checks
    ) -> Callable[[], optimizer_checks.Answers] | None:
        """What the program makes of these checks, found once; they are asked if thorough."""

        def found() -> optimizer_checks.Answers:
            key = (inquiry.configuration.precision, *asked.items())
            if key not in self.updates:
                self.updates[key] = optimizer_checks.answers(inquiry.backend, asked)
            return self.updates[key]

        return found if self.thorough else None


def _answer(
    inquiry: Inquiry, question: Question, ask: Callable[..., ParityResult], *given: Any
) -> ParityResult:
    """The answer, with the variables of the user's that may be why numbers are less precise; or why
    there is none. A worker that failed is given up.
    """
    if inquiry.configuration.refused is not None:
        status, reason = inquiry.configuration.refused
        refused = "not_available" if status == "not_available" else "not_supported"
        return inquiry.result(question, verdict=refused, reason=reason)
    try:
        answer = ask(inquiry, *given)
        if answer.verdict in ("precision_loss", "different"):
            settings, device = inquiry.backend.pool.settings, inquiry.configuration.device
            told = less_precise(device, settings.share, settings.environment)
            answer = noted(answer, told and f"set in this environment, and may be why: {told}")
        return answer
    except ReferenceLacks:
        raise  # no other question has an answer either
    except ReferenceFailed as error:
        return inquiry.result(question, verdict="failed", reason=f"the reference: {error}")
    except FAILURES as error:
        inquiry.backend.lose()
        return inquiry.result(question, verdict=status_of(error), reason=str(error))


class Interrupted(KeyboardInterrupt):
    """Not all was asked; ``results`` are the answers until then."""

    def __init__(self, results: list[ParityResult]) -> None:
        super().__init__()
        self.results = results


@contextmanager
def references_of(
    found: Sequence[Installation],
    tasks: Collection[Task],
) -> Iterator[tuple[list[Reference], LiveWorkers, Path]]:
    """The references about these tasks, the live workers of all workers, and where files go."""
    live = LiveWorkers()
    with scratch() as files:
        logs = files / "logs"
        logs.mkdir()
        with opened(reference_configuration(found), live, logs, files, CACHED, tasks) as known:
            yield known, live, files


def ask(
    wanted: Sequence[tuple[Task, int]],
    asked: Sequence[Configuration],
    references: Sequence[Reference],
    live: LiveWorkers,
    files: Path,
    quiet: bool,
) -> list[ParityResult]:
    """Parity's answers for these tasks and seeds; the logs are kept only if a worker failed. Raises
    Interrupted.
    """
    all_inputs = [TaskInputs(task, seed, files) for task, seed in wanted]
    with reporter(quiet) as progress, directory.create(files, directory.new_id()) as store:
        tasks = [task for task, _ in wanted]
        stage = Stage(
            name="parity",
            at_once=estimate.parity_at_once(tasks),
            settings=replace(CACHED, share=estimate.parity_share(tasks)),
            groups=groups(asked, all_inputs, references, files, thorough=True),
        )
        try:
            perform([stage], store, live, progress)
        except KeyboardInterrupt:
            raise Interrupted(_answered(store)) from None
    results = _answered(store)
    if any(result.verdict == "failed" for result in results):
        keep_logs(store.path / "logs")
    return results


def _answered(store: RunDirectory) -> list[ParityResult]:
    records, _ = directory.read_records(store.path)
    results = [record.result for record in records if isinstance(record, ParityRecord)]
    return sorted(results, key=_place)


def _place(result: ParityResult) -> tuple[str, ...]:
    """Where it stands in the table; function, precision, training follow by the alphabet, and what
    is timed stands before the question that it belongs to.
    """
    of = (result.task, result.backend, result.execution, result.question, f"{result.seed:9}")
    return (*of, "" if result.phase else "whole")
