"""What the reference finds for a task, computed once, by a worker of its own in each precision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite.engine.inputs import TaskInputs
from suite.engine.job import FAILURES
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.engine.remote import Arrays, RemoteBackend, bare, read
from suite.errors import FAILED, CommandError
from suite.parity import layer_checks, optimizer_checks
from suite.parity.attempt import Attempt
from suite.parity.branch_flips import without_flips
from suite.parity.compare import errors
from suite.parity.ensemble import MEMBERS, TRAININGS, UNITS, Null, is_large, moved
from suite.parity.findings import Findings, captured, examine, look_inside, train
from suite.parity.known_mistakes.layers import Given
from suite.parity.trajectory import NullCourse, checkpoints, moving, null_course, steps
from suite.plan import estimate
from suite.plan.configurations import Configuration
from suite.worker.process import WorkerSettings
from tasks.base import Batch, Task
from tasks.spec import SGD, Input, ModelSpec

PARTS = ("activations", "predictions", "loss", "gradients", "buffers")  # of a capture

Key = tuple[str, str, int]  # precision, task and seed
T = TypeVar("T")


class ReferenceFailed(CommandError):
    """The reference has no answer; no fault of the backend."""

    exit_code = FAILED


class ReferenceLacks(ReferenceFailed):
    """The reference cannot compute this task: it has no such layer, loss or optimizer."""


class Reference:
    """The truth about each task and seed; the first to ask has it found, others wait. All raise
    ReferenceFailed.
    """

    def __init__(self, exact: RemoteBackend) -> None:
        self.exact = exact
        self.coarse = {name: exact.at(name) for name in UNITS}
        self.known: dict[Key, Findings] = {}
        self.nulls: dict[Key, Null] = {}
        self.trainings: dict[Key, list[Arrays]] = {}
        self.courses: dict[Key, NullCourse] = {}
        self.starts: dict[Key, list[str]] = {}
        self.bare: dict[Key, Findings] = {}
        self.layers: dict[Key, layer_checks.Answers] = {}
        self.checks: dict[tuple[str, str, optimizer_checks.OptimizerCheck], Arrays] = {}
        self.attempts: dict[tuple[str, int, Attempt], Arrays] = {}
        # Held while a worker is at work; who holds a coarse one may ask for the exact one, not vice
        # versa.
        every = (exact, *self.coarse.values())
        self.guards = {backend.configuration: threading.RLock() for backend in every}

    @property
    def configuration(self) -> Configuration:
        """NumPy's, in float64."""
        return self.exact.configuration

    def findings(self, task_inputs: TaskInputs) -> Findings:
        """What the reference finds."""
        return self._once(self.exact, self.known, task_inputs, self._examine)

    def null(self, task_inputs: TaskInputs, precision: str) -> Null:
        """How far this precision strays from it; in float32 gradients that a branch flip reaches do
        not count. In bfloat16, where equal values are common, they do: flips are everywhere.
        """
        backend = self.coarse[precision]
        return self._once(backend, self.nulls, task_inputs, partial(self._null, backend))

    def training(self, task_inputs: TaskInputs) -> list[Arrays]:
        """The parameters at the checkpoints of the task's training."""
        find = partial(self._train, self.exact)
        return self._once(self.exact, self.trainings, task_inputs, find)

    def states(self, task_inputs: TaskInputs) -> list[str]:
        """The files of the parameters and buffers before each step of the task's training."""
        return self._once(self.exact, self.starts, task_inputs, self._states)

    def look(self, task_inputs: TaskInputs, start: str, batch: str) -> Findings:
        """What it finds inside for another batch and other parameters than the probe's."""
        with self._at_work(self.exact):
            return look_inside(self.exact, task_inputs, start, batch)

    def unmasked(self, task_inputs: TaskInputs) -> Findings | None:
        """What it finds where every step is valid; None where they are."""
        with np.load(task_inputs.data) as arrays:
            if "probe.valid" not in arrays.files:
                return None
        return self._once(self.exact, self.bare, task_inputs, self._unmasked)

    def predicting(self, task: Task, parameters: Arrays, samples: Batch) -> NDArray[np.float64]:
        """What it predicts of these samples with another task."""
        with self._at_work(self.exact):
            return self.exact.predicted(task, parameters, samples)

    def course(self, task_inputs: TaskInputs) -> NullCourse:
        """How far trainings in float32 stray from it."""
        backend = self.coarse["float32"]
        return self._once(backend, self.courses, task_inputs, partial(self._course, backend))

    def forget(self) -> None:
        """Make room: what was found about tasks is found anew when it is asked for again."""
        for known in (self.known, self.nulls, self.trainings, self.courses, self.layers):
            known.clear()
        self.starts.clear()
        self.bare.clear()
        self.attempts.clear()

    def attempt(self, task_inputs: TaskInputs, asked: Attempt) -> Arrays:
        """What it makes of a batch of a size that is timed; kept for the task that was asked about
        last, since the moments of a large one take much room.
        """
        key = (task_inputs.task.name, task_inputs.seed, asked)
        with self._at_work(self.exact):
            if key not in self.attempts:
                kept = {k: v for k, v in self.attempts.items() if k[:2] == key[:2]}
                self.attempts = kept | {key: asked.made(self.exact, task_inputs)}
            return self.attempts[key]

    def alone(self, task_inputs: TaskInputs) -> layer_checks.Answers:
        """What it makes of the layers alone."""
        find = partial(layer_checks.answers, self.exact)
        return self._once(self.exact, self.layers, task_inputs, find)

    def updates(
        self,
        asked: Mapping[str, optimizer_checks.OptimizerCheck],
        coarsely: bool = False,
        model: ModelSpec | None = None,
    ) -> optimizer_checks.Answers:
        """What it makes of these optimizer checks, in float64 or ``coarsely`` in float32."""
        backend, of = (
            self.coarse["float32"] if coarsely else self.exact,
            model.name if model else "",
        )
        precision = backend.configuration.precision
        keys = {name: (precision, of, check) for name, check in asked.items()}
        with self._at_work(backend):
            new = {name: asked[name] for name, key in keys.items() if key not in self.checks}
            made = optimizer_checks.answers(backend, new, model)
            self.checks |= {keys[name]: arrays for name, arrays in made.items()}
            return {name: self.checks[key] for name, key in keys.items()}

    def supposing(self, given: Given, upstream: NDArray[np.float64]) -> Arrays:
        """What it makes of a layer that is given something else than it should be."""
        model = ModelSpec(
            name="supposed",
            input=Input(shape=given.inputs.shape[1:]),
            layers=(("layer", given.layer),),
        )
        start = {f"layer.{name}": array for name, array in given.parameters.items()}
        with self._at_work(self.exact):
            program = self.exact.build_at(bare(model, SGD(learning_rate=1.0), 1), start)
            return program.layer("layer", given.inputs, upstream, given.valid)

    def mistaken(self, task_inputs: TaskInputs, changes: Mapping[str, Given]) -> Findings:
        """What it makes of the task with other layers, or other parameters, at these paths."""
        changed, task = read(task_inputs.probe), task_inputs.task
        model = task.model
        for path, given in changes.items():
            changed |= {f"{path}.{name}": array for name, array in given.parameters.items()}
            model = model.with_layer(path, given.layer)
        task = replace(task, name=f"{task.name}-mistaken", model=model)
        with self._at_work(self.exact):
            program = self.exact.build_at(task, changed).program
            program.load(task_inputs.data)
            return captured(program, "probe", self.exact.path("mistaken-capture"))

    def _examine(self, task_inputs: TaskInputs) -> Findings:
        found = examine(self.exact, task_inputs)
        if is_large(task_inputs.task):  # of cnn-small and transformer-small 5 steps take 8 and 13 s
            return replace(found, trained=self.training(task_inputs)[-1])
        last = [steps(task_inputs.task)]
        (trained,) = train(self.exact, task_inputs, task_inputs.initial, last)
        return replace(found, trained=trained)

    def _states(self, task_inputs: TaskInputs) -> list[str]:
        wanted, paths = list(range(1, steps(task_inputs.task))), [task_inputs.initial]
        after = train(self.exact, task_inputs, task_inputs.initial, wanted)
        for step, arrays in zip(wanted, after, strict=True):
            paths.append(self._write(task_inputs, f"state-{step}", arrays))
        return paths

    def _unmasked(self, task_inputs: TaskInputs) -> Findings:
        data = read(task_inputs.data)
        data["probe.valid"] = np.ones_like(data["probe.valid"])
        batch = self._write(task_inputs, "unmasked", data)
        return look_inside(self.exact, task_inputs, task_inputs.probe, batch)

    def _write(self, task_inputs: TaskInputs, what: str, arrays: Arrays) -> str:
        path = self.exact.path_of(task_inputs, what)
        np.savez(path, **arrays)  # type: ignore[arg-type]
        return path

    def _null(self, backend: RemoteBackend, task_inputs: TaskInputs) -> Null:
        wanted, model = self.findings(task_inputs), task_inputs.task.model
        precision = backend.configuration.precision
        null = Null(UNITS[precision])
        for member in range(MEMBERS[is_large(task_inputs.task)]):
            found = look_inside(backend, task_inputs, moved(task_inputs.probe, member, precision))
            every = errors(found, wanted, PARTS)
            if precision == "float32":
                every, _ = without_flips(every, model, found, wanted)
            null.add(every)
        return null

    def _train(
        self, backend: RemoteBackend, task_inputs: TaskInputs, start: str | None = None
    ) -> list[Arrays]:
        at = checkpoints(task_inputs.task)
        return train(backend, task_inputs, start or task_inputs.initial, at)

    def _course(self, backend: RemoteBackend, task_inputs: TaskInputs) -> NullCourse:
        precision, start = backend.configuration.precision, task_inputs.initial
        members = [
            self._train(backend, task_inputs, moved(start, member, precision))
            for member in range(TRAININGS[is_large(task_inputs.task)])
        ]
        return null_course(
            members,
            self.training(task_inputs),
            read(start),
            moving(task_inputs.task, self.findings(task_inputs)),
            checkpoints(task_inputs.task),
        )

    def _once(
        self,
        backend: RemoteBackend,
        known: dict[Key, T],
        task_inputs: TaskInputs,
        find: Callable[[TaskInputs], T],
    ) -> T:
        key = (backend.configuration.precision, task_inputs.task.name, task_inputs.seed)
        if key not in known:  # what is known is told while something else is found
            with self._at_work(backend):
                if key not in known:
                    known[key] = find(task_inputs)
        return known[key]

    @contextmanager
    def _at_work(self, backend: RemoteBackend) -> Iterator[None]:
        """Nobody else asks this worker; after a failure the next task gets a fresh one."""
        with self.guards[backend.configuration]:
            try:
                yield
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
) -> Iterator[list[Reference]]:
    """One for each part of the tasks, with workers and files of its own."""
    shared = replace(settings, share=estimate.parity_share())
    with ExitStack() as stack:
        found = []
        for part in range(estimate.parity_parts()):
            folder = files / f"reference-{part}"
            folder.mkdir()
            pool = stack.enter_context(WorkerPool(live, logs, f"reference-{part}", shared))
            found.append(Reference(RemoteBackend(pool, configuration, folder)))
        yield found
