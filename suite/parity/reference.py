"""What the reference finds for a task, computed once, by a worker of its own in each precision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import NotSupported
from suite import cost
from suite.crew import Crew, Roster
from suite.material import Material
from suite.parity import alone, drills
from suite.parity.attempt import Attempt
from suite.parity.compare import errors
from suite.parity.confusions.layers import Given
from suite.parity.ensemble import MEMBERS, TRAININGS, UNITS, Null, is_large, moved
from suite.parity.findings import Arrays, Findings, beginning, examine, look_inside, read, train
from suite.parity.kinks import without_flips
from suite.parity.trajectory import NullCourse, checkpoints, moving, null_course, steps
from suite.plan import Lane
from suite.subject import Program, Subject, bare
from suite.work import FAILURES
from tasks.base import Batch, Task
from tasks.codec import encode, portable
from tasks.spec import SGD, Input, ModelSpec

PARTS = ("activations", "predictions", "loss", "gradients", "buffers")  # of a capture

Key = tuple[str, str, int]  # precision, task and seed
T = TypeVar("T")


class ReferenceFailed(Exception):
    """The reference has no answer; no fault of the backend."""


class ReferenceLacks(ReferenceFailed):
    """The reference cannot compute this task: it has no such layer, loss or optimizer."""


class Reference:
    """The truth about each task and seed; the first to ask has it found, others wait. All raise
    ReferenceFailed.
    """

    def __init__(self, lane: Lane, crew: Crew, files: Path) -> None:
        self.lane, self.crew, self.files = lane, crew, files
        self.coarse = {name: replace(lane, precision=name) for name in UNITS}
        self.known: dict[Key, Findings] = {}
        self.nulls: dict[Key, Null] = {}
        self.trainings: dict[Key, list[Arrays]] = {}
        self.courses: dict[Key, NullCourse] = {}
        self.starts: dict[Key, list[str]] = {}
        self.bare: dict[Key, Findings] = {}
        self.layers: dict[Key, alone.Answers] = {}
        self.drills: dict[tuple[str, str, drills.Drill], Arrays] = {}
        self.attempts: dict[tuple[str, int, Attempt], Arrays] = {}
        # Held while a worker is at work; who holds a coarse one may ask for the exact one, not vice
        # versa.
        self.guards = {lane: threading.RLock() for lane in (self.lane, *self.coarse.values())}

    def findings(self, material: Material) -> Findings:
        """What the reference finds."""
        return self._once(self.lane, self.known, material, lambda: self._examine(material))

    def null(self, material: Material, precision: str) -> Null:
        """How far this precision strays from it; in float32 gradients that a flip at a kink reaches
        do not count. In bfloat16, where equal values are common, they do: flips are everywhere.
        """
        lane = self.coarse[precision]
        return self._once(lane, self.nulls, material, lambda: self._null(lane, material))

    def training(self, material: Material) -> list[Arrays]:
        """The parameters at the checkpoints of the task's training."""
        return self._once(
            self.lane,
            self.trainings,
            material,
            lambda: self._train(self.lane, material, material.initial),
        )

    def states(self, material: Material) -> list[str]:
        """The files of the parameters and buffers before each step of the task's training."""
        return self._once(self.lane, self.starts, material, lambda: self._states(material))

    def look(self, material: Material, start: str, batch: str) -> Findings:
        """What it finds inside for another batch and other parameters than the probe's."""
        with self.guards[self.lane], self._worker(self.lane):
            return look_inside(self.crew, self.lane, material, self.files, start, batch)

    def unmasked(self, material: Material) -> Findings | None:
        """What it finds where every step is valid; None where they are."""
        with np.load(material.data) as arrays:
            if "probe.valid" not in arrays.files:
                return None
        return self._once(self.lane, self.bare, material, lambda: self._unmasked(material))

    def predicting(self, task: Task, parameters: Arrays, samples: Batch) -> NDArray[np.float64]:
        """What it predicts of these samples with another task."""
        with self.guards[self.lane], self._worker(self.lane):
            subject = Subject(self.crew, self.lane, self.files)
            return subject.predicted(task, parameters, samples)

    def course(self, material: Material) -> NullCourse:
        """How far trainings in float32 stray from it."""
        lane = self.coarse["float32"]
        return self._once(lane, self.courses, material, lambda: self._course(lane, material))

    def forget(self) -> None:
        """Make room: what was found about tasks is found anew when it is asked for again."""
        for known in (self.known, self.nulls, self.trainings, self.courses, self.layers):
            known.clear()
        self.starts.clear()
        self.bare.clear()
        self.attempts.clear()

    def attempt(self, material: Material, asked: Attempt) -> Arrays:
        """What it makes of a batch of a size that is timed; kept for the task that was asked about
        last, since the moments of a large one take much room.
        """
        key = (material.task.name, material.seed, asked)
        with self.guards[self.lane]:
            if key not in self.attempts:
                kept = {k: v for k, v in self.attempts.items() if k[:2] == key[:2]}
                with self._worker(self.lane):
                    found = asked.made(self.crew, self.lane, material, self.files)
                self.attempts = kept | {key: found}
            return self.attempts[key]

    def alone(self, material: Material) -> alone.Answers:
        """What it makes of the layers alone."""
        return self._once(
            self.lane,
            self.layers,
            material,
            lambda: alone.answers(self.crew, self.lane, material, self.files),
        )

    def drilled(
        self,
        asked: Mapping[str, drills.Drill],
        coarsely: bool = False,
        model: ModelSpec | None = None,
    ) -> drills.Answers:
        """What it makes of these drills, in float64 or ``coarsely`` in float32."""
        lane, of = self.coarse["float32"] if coarsely else self.lane, model.name if model else ""
        keys = {name: (lane.precision, of, drill) for name, drill in asked.items()}
        with self.guards[lane]:
            new = {name: asked[name] for name, key in keys.items() if key not in self.drills}
            with self._worker(lane):
                made = drills.answers(self.crew, lane, self.files, new, model)
            self.drills |= {keys[name]: arrays for name, arrays in made.items()}
            return {name: self.drills[key] for name, key in keys.items()}

    def supposing(self, given: Given, upstream: NDArray[np.float64]) -> Arrays:
        """What it makes of a layer that is given something else than it should be."""
        model = ModelSpec(
            name="supposed",
            input=Input(shape=given.inputs.shape[1:]),
            layers=(("layer", given.layer),),
        )
        task = bare(model, SGD(learning_rate=1.0), 1)
        subject = Subject(self.crew, self.lane, self.files)
        with self.guards[self.lane], self._worker(self.lane):
            start = {f"layer.{name}": array for name, array in given.parameters.items()}
            parameters = subject.write("supposed", start)
            subject.call("build", task=encode(task), parameters=parameters)
            program = Program(subject, task.name, parameters)
            return program.layer("layer", given.inputs, upstream, given.valid)

    def confused(self, material: Material, changes: Mapping[str, Given]) -> Findings:
        """What it makes of the task with other layers, or other parameters, at these paths."""
        changed, task = read(material.probe), material.task
        model = task.model
        for path, given in changes.items():
            changed |= {f"{path}.{name}": array for name, array in given.parameters.items()}
            model = model.with_layer(path, given.layer)
        task = replace(task, name=f"{task.name}-confused", model=model)
        subject = Subject(self.crew, self.lane, self.files)
        with self.guards[self.lane], self._worker(self.lane):
            parameters = subject.write("confused", changed)
            subject.call("build", task=encode(portable(task)), parameters=parameters)
            subject.call("load", task=task.name, path=material.data)
            file = subject.path("confused-capture")
            answer = subject.call("capture", task=task.name, split="probe", path=file)
            return Findings(
                loss=answer["loss"], capture=read(file), scales=answer["scales"], file=file
            )

    def _examine(self, material: Material) -> Findings:
        found = examine(self.crew, self.lane, material, self.files, None)
        if is_large(material.task):  # of cnn-small and transformer-small 5 steps take 8 and 13 s
            return replace(found, trained=self.training(material)[-1])
        last = [steps(material.task)]
        (trained,) = train(*(self.crew, self.lane, material, material.initial, self.files), last)
        return replace(found, trained=trained)

    def _states(self, material: Material) -> list[str]:
        wanted, paths = list(range(1, steps(material.task))), [material.initial]
        after = train(self.crew, self.lane, material, material.initial, self.files, wanted)
        for step, arrays in zip(wanted, after, strict=True):
            paths.append(f"{beginning(self.lane, material, self.files)}-state-{step}.npz")
            np.savez(paths[-1], **arrays)  # type: ignore[arg-type]
        return paths

    def _unmasked(self, material: Material) -> Findings:
        data = read(material.data)
        data["probe.valid"] = np.ones_like(data["probe.valid"])
        batch = f"{beginning(self.lane, material, self.files)}-unmasked.npz"
        np.savez(batch, **data)  # type: ignore[arg-type]
        return look_inside(self.crew, self.lane, material, self.files, material.probe, batch)

    def _null(self, lane: Lane, material: Material) -> Null:
        wanted, model = self.findings(material), material.task.model
        null = Null(UNITS[lane.precision])
        for member in range(MEMBERS[is_large(material.task)]):
            parameters = moved(material.probe, member, lane.precision)
            found = look_inside(self.crew, lane, material, self.files, parameters)
            every = errors(found, wanted, PARTS)
            if lane.precision == "float32":
                every, _ = without_flips(every, model, found, wanted)
            null.add(every)
        return null

    def _train(self, lane: Lane, material: Material, start: str) -> list[Arrays]:
        return train(self.crew, lane, material, start, self.files, checkpoints(material.task))

    def _course(self, lane: Lane, material: Material) -> NullCourse:
        members = [
            self._train(lane, material, moved(material.initial, member, lane.precision))
            for member in range(TRAININGS[is_large(material.task)])
        ]
        return null_course(
            members,
            self.training(material),
            read(material.initial),
            moving(material.task, self.findings(material)),
            checkpoints(material.task),
        )

    def _once(
        self, lane: Lane, known: dict[Key, T], material: Material, find: Callable[[], T]
    ) -> T:
        key = (lane.precision, material.task.name, material.seed)
        if key not in known:  # what is known is told while something else is found
            with self.guards[lane]:
                if key not in known:
                    with self._worker(lane):
                        known[key] = find()
        return known[key]

    @contextmanager
    def _worker(self, lane: Lane) -> Iterator[None]:
        """After a failure the next task gets a fresh one."""
        try:
            yield
        except FAILURES as error:
            self.crew.lose(lane)
            kind = ReferenceLacks if isinstance(error, NotSupported) else ReferenceFailed
            raise kind(str(error)) from error


@contextmanager
def opened(lane: Lane, roster: Roster, logs: Path, files: Path) -> Iterator[list[Reference]]:
    """One for each part of the tasks, with workers and files of its own."""
    with ExitStack() as stack:
        found = []
        for part in range(cost.parity_parts()):
            folder = files / f"reference-{part}"
            folder.mkdir()
            crew = Crew(roster, logs, f"reference-{part}", cost.parity_share())
            found.append(Reference(lane, stack.enter_context(crew), folder))
        yield found
