"""What the reference finds for a task, computed once, by a worker of its own in each precision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from backends.base import PRECISIONS, NotSupported
from suite.engine.arrays import Arrays, read
from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.remote import RemoteBackend
from suite.errors import FAILED, CommandError
from suite.parity import cases, compare, layer_checks, optimizer_checks
from suite.parity.ensemble import (
    MEMBERS,
    TRAININGS,
    Null,
    NullCourse,
    checkpoints,
    is_large,
    moved,
    moving,
    null_course,
    steps,
)
from suite.parity.findings import (
    Attempt,
    Findings,
    captured,
    examine,
    look_inside,
    predicted,
    train,
    trained,
    written,
)
from suite.parity.known_mistakes import layers, words
from suite.parity.layer_checks import Case, greatest
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.worker.process import WorkerSettings
from tasks.base import Task
from tasks.spec import ModelSpec

# The parts of a capture.
INSIDE: tuple[str, ...] = ("activations", "predictions", "loss", "gradients", "buffers")
EXACT = "float64"  # what the function is asked in

T = TypeVar("T")


class ReferenceFailed(CommandError):
    """The reference has no answer; no fault of the backend."""

    exit_code = FAILED


class ReferenceLacks(ReferenceFailed):
    """The reference cannot compute this task: it has no such layer, loss or optimizer."""


def _once(find: Callable[[Reference, TaskInputs, RemoteBackend], T]) -> Callable[..., T]:
    """What is found for a task and seed by the worker of a precision; the first to ask has it
    found, others wait.
    """

    def known(self: Reference, task_inputs: TaskInputs, precision: str = EXACT) -> T:
        key = (find, precision, task_inputs.task.name, task_inputs.seed)
        if key not in self.known:  # what is known is told while something else is found
            with self.at_work(precision) as backend:
                if key not in self.known:
                    self.known[key] = find(self, task_inputs, backend)
                    if precision != EXACT:
                        backend.discard(task_inputs)
                        if task_inputs.task.real_size:
                            backend.lose()  # of BERT it takes 4 GiB
        found: T = self.known[key]
        return found

    return known


class Reference:
    """The truth about each task and seed. All raise ReferenceFailed."""

    def __init__(self, exact: RemoteBackend) -> None:
        self.configuration = exact.configuration  # NumPy's, in float64
        self.backends = {name: exact.at(name) for name in PRECISIONS}
        self.known: dict[tuple[Any, ...], Any] = {}
        self.checks: dict[tuple[Any, ...], Arrays] = {}
        self.attempts: dict[tuple[str, int, Attempt, str], Arrays] = {}
        # Held while a worker is at work; who holds a coarse one may ask for the exact one, not vice
        # versa.
        self.guards = {name: threading.RLock() for name in self.backends}

    @_once
    def findings(self, task_inputs: TaskInputs, backend: RemoteBackend) -> Findings:
        """What the reference finds."""
        found = examine(backend, task_inputs)
        if is_large(task_inputs.task):  # of cnn-small and transformer-small 5 steps take 8 and 13 s
            after = self.training(task_inputs)[-1]
            after = after | predicted(backend, task_inputs, after)
        else:
            after = trained(backend, task_inputs, steps(task_inputs.task))
        return replace(found, trained=after)

    @_once
    def null(self, task_inputs: TaskInputs, backend: RemoteBackend) -> Null:
        """How far a precision strays from it; in float32 gradients that a branch flip reaches do
        not count. In bfloat16, where equal values are common, they do: flips are everywhere.
        """
        wanted, model = self.findings(task_inputs), task_inputs.task.model
        precision = backend.configuration.precision
        members = []
        for member in range(MEMBERS[is_large(task_inputs.task)]):
            with moved(task_inputs.probe, member, precision) as start:
                found = look_inside(backend, task_inputs, start)
            every = compare.errors(found, wanted, INSIDE)
            if precision == "float32":
                every, _ = compare.without_flips(every, model, found, wanted)
            members.append(every)
        return Null(
            PRECISIONS[precision].unit, greatest(e for every in members for e in every.items())
        )

    @_once
    def training(self, task_inputs: TaskInputs, backend: RemoteBackend) -> list[Arrays]:
        """The parameters at the checkpoints of the task's training."""
        at = checkpoints(task_inputs.task)
        return list(train(backend, task_inputs, task_inputs.initial, at))

    @_once
    def strays(self, task_inputs: TaskInputs, backend: RemoteBackend) -> compare.Errors:
        """How far its own training goes astray from a start of which every value is moved to a
        neighbour in float64.
        """
        with moved(task_inputs.initial, 0, EXACT) as start:
            (after,) = train(backend, task_inputs, start, [steps(task_inputs.task)])
        after = after | predicted(backend, task_inputs, after)
        wanted = self.findings(task_inputs)
        return compare.errors(replace(wanted, trained=after), wanted, ("trained",))

    @_once
    def course(self, task_inputs: TaskInputs, backend: RemoteBackend) -> NullCourse:
        """How far trainings in a precision stray from it."""
        task, start = task_inputs.task, task_inputs.initial
        at, precision = checkpoints(task), backend.configuration.precision

        def member(number: int) -> Iterator[Arrays]:
            with moved(start, number, precision) as its_own:
                yield from train(backend, task_inputs, its_own, at)

        members = (member(number) for number in range(TRAININGS[is_large(task)]))
        among = moving(task, self.findings(task_inputs))
        return null_course(members, self.training(task_inputs), read(start), among, at)

    @_once
    def states(self, task_inputs: TaskInputs, backend: RemoteBackend) -> list[str]:
        """The files of the parameters and buffers before each step of the task's training."""
        start, wanted = task_inputs.initial, range(1, steps(task_inputs.task))
        after = train(backend, task_inputs, start, wanted)
        files = (written(backend, task_inputs, f"state-{n}", a) for n, a in enumerate(after, 1))
        return [start, *files]

    @_once
    def unmasked(self, task_inputs: TaskInputs, backend: RemoteBackend) -> Findings | None:
        """What it finds where every step is valid; None where they are."""
        with np.load(task_inputs.data) as arrays:
            data = dict(arrays)
        masks = [key for key in data if key.startswith("probe.valid")]
        if not masks:
            return None
        data |= {key: np.ones_like(data[key]) for key in masks}
        batch = written(backend, task_inputs, "unmasked", data)
        return look_inside(backend, task_inputs, task_inputs.probe, batch)

    @_once
    def alone(self, task_inputs: TaskInputs, backend: RemoteBackend) -> cases.Answers:
        """What it makes of the layers alone."""
        return cases.answers(backend, task_inputs)

    def forget(self) -> None:
        """Make room: what was found about tasks is found anew when it is asked for again."""
        self.known.clear()
        self.attempts.clear()

    def attempt(self, task_inputs: TaskInputs, asked: Attempt, precision: str = EXACT) -> Arrays:
        """What it makes of a batch of a size that is timed; kept for the task that was asked about
        last, since the moments of a large one take much room.
        """
        key = (task_inputs.task.name, task_inputs.seed, asked, precision)
        with self.at_work(precision) as backend:
            if key not in self.attempts:
                kept = {k: v for k, v in self.attempts.items() if k[:2] == key[:2]}
                self.attempts = kept | {key: asked.made(backend, task_inputs)}
                if task_inputs.task.real_size and precision != EXACT:
                    backend.lose()
            return self.attempts[key]

    def updates(
        self,
        asked: optimizer_checks.Checks,
        precision: str = EXACT,
        model: ModelSpec | None = None,
    ) -> optimizer_checks.Answers:
        """What it makes of these optimizer checks."""
        keys = {name: (precision, model and model.name, check) for name, check in asked.items()}
        with self.at_work(precision) as backend:
            new = {name: asked[name] for name, key in keys.items() if key not in self.checks}
            made = optimizer_checks.answers(backend, new, model)
            self.checks |= {keys[name]: arrays for name, arrays in made.items()}
            return {name: self.checks[key] for name, key in keys.items()}

    def supposing(self, case: Case) -> Arrays:
        """What it makes of a layer alone, which may be given something else than it should be."""
        with self.at_work() as backend:
            return layer_checks.alone(backend, case)

    def misled(self, case: Case) -> Iterator[tuple[words.Mistake[Case], Arrays]]:
        """The known mistakes about a case, each with what it makes; one that cannot be computed
        nobody made.
        """
        for mistake in layers.mistakes(case):
            with suppress(ReferenceFailed):
                yield mistake, self.supposing(mistake.instead)

    def mistaken(self, task_inputs: TaskInputs, changes: Iterable[Case]) -> Findings:
        """What it makes of the task with these cases' layers and parameters at their places. Where
        one place alone has other values than its tied one, the tie is no more.
        """
        task = task_inputs.task
        model, changed = task.model, dict(task.model.with_ties(read(task_inputs.probe)))
        for case in changes:
            changed |= case.start
            model = model.with_layer(case.path, case.layer)
        same = [tie for tie in model.ties if np.array_equal(changed[tie[0]], changed[tie[1]])]
        model = replace(model, ties=tuple(same))
        task = replace(task, name=f"{task.name}-mistaken", model=model)
        with self.at_work() as backend:
            program = backend.build_at(task, changed).program
            program.load(task_inputs.data)
            return captured(program, "probe", backend.path("mistaken-capture"))

    @contextmanager
    def at_work(self, precision: str = EXACT) -> Iterator[RemoteBackend]:
        """The worker of this precision, which nobody else asks meanwhile; after a failure the next
        task gets a fresh one.
        """
        backend = self.backends[precision]
        with self.guards[precision]:
            try:
                yield backend
            except FAILURES as error:
                backend.lose()
                kind = ReferenceLacks if isinstance(error, NotSupported) else ReferenceFailed
                raise kind(str(error)) from error


@contextmanager
def opened(
    configuration: Configuration,
    live: LiveWorkers,
    logs: Path,
    files: Path,
    settings: WorkerSettings,
    tasks: Collection[Task],
) -> Iterator[list[Reference]]:
    """One for each part of these tasks, with workers and files of its own."""
    shared = replace(settings, share=estimate.parity_share(tasks))
    with ExitStack() as stack:
        found = []
        for part in range(estimate.parity_parts(tasks)):
            folder = files / f"reference-{part}"
            folder.mkdir()
            pool = stack.enter_context(WorkerPool(live, logs, f"reference-{part}", shared))
            found.append(Reference(RemoteBackend(pool, configuration, folder)))
        yield found
