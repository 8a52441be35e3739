"""What the reference finds for a task, computed once by a worker of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suite.crew import Crew
from suite.material import Material
from suite.parity import alone, drills
from suite.parity.compare import Errors, errors, worst
from suite.parity.confusions.layers import Given
from suite.parity.findings import Arrays, Findings, examine, read
from suite.plan import Lane
from suite.subject import Program, Subject, bare
from suite.work import FAILURES
from tasks.codec import encode
from tasks.spec import SGD, Input, ModelSpec

ROUNDINGS = 8
PARTS = ("activations", "loss", "gradients", "buffers")  # of a capture


class Reference:
    """The truth about each task; the first to ask has it found, others wait. All raise what
    Worker.call raises.
    """

    def __init__(self, lane: Lane, crew: Crew, files: Path) -> None:
        self.lane, self.crew, self.files = lane, crew, files
        self.known: dict[str, Findings] = {}
        self.spreads: dict[str, Errors] = {}
        self.layers: dict[str, alone.Answers] = {}
        self.drills: dict[drills.Drill, Arrays] = {}
        self.guard = threading.Lock()

    def findings(self, material: Material) -> Findings:
        """What the reference finds."""
        with self.guard:
            name = material.task.name
            if name not in self.known:
                with self._worker():
                    self.known[name] = examine(self.crew, self.lane, material, self.files, None)
            return self.known[name]

    def rounding(self, material: Material) -> Errors:
        """How far float32's rounding takes each part from what was found: the worst error in
        ROUNDINGS captures with every layer's output off by up to a rounding, at random (Monte Carlo
        arithmetic, doi 10.1109/5992.814657). A ReLU that flips within rounding shows in it, and a
        sum that cancels before a normalisation.
        """
        found = self.findings(material)
        with self.guard:
            name = material.task.name
            if name not in self.spreads:
                with self._worker():
                    self.spreads[name] = self._spread(material, found)
            return self.spreads[name]

    def alone(self, material: Material) -> alone.Answers:
        """What it makes of the layers alone."""
        with self.guard:
            name = material.task.name
            if name not in self.layers:
                with self._worker():
                    found = alone.answers(self.crew, self.lane, material, self.files)
                    self.layers[name] = found
            return self.layers[name]

    def drilled(self, asked: Mapping[str, drills.Drill]) -> drills.Answers:
        """What it makes of these drills."""
        with self.guard:
            new = {name: drill for name, drill in asked.items() if drill not in self.drills}
            with self._worker():
                made = drills.answers(self.crew, self.lane, self.files, new)
            self.drills |= {new[name]: arrays for name, arrays in made.items()}
            return {name: self.drills[drill] for name, drill in asked.items()}

    def supposing(self, given: Given, upstream: NDArray[np.float64]) -> Arrays:
        """What it makes of a layer that is given something else than it should be."""
        model = ModelSpec(
            name="supposed",
            input=Input(shape=given.inputs.shape[1:]),
            layers=(("layer", given.layer),),
        )
        task = bare(model, SGD(learning_rate=1.0), 1)
        subject = Subject(self.crew, self.lane, self.files)
        with self.guard, self._worker():
            start = {f"layer.{name}": array for name, array in given.parameters.items()}
            parameters = subject.write("supposed", start)
            subject.call("build", task=encode(task), parameters=parameters)
            program = Program(subject, task.name, parameters)
            return program.layer("layer", given.inputs, upstream, given.valid)

    def _spread(self, material: Material, found: Findings) -> Errors:
        name, file = material.task.name, f"{self.files}/{material.task.name}-rounding.npz"
        self.crew.build(self.lane, material, material.probe)
        worker = self.crew.member(self.lane).worker
        spread: Errors = {}
        for seed in range(ROUNDINGS):
            answer = worker.call("capture", task=name, split="probe", path=file, rounding=seed)
            off = replace(found, loss=answer["loss"], capture=read(file))
            for part, error in worst(errors(off, found, PARTS)).items():
                spread[part] = max(spread.get(part, 0.0), error)
        Path(file).unlink()
        return spread

    @contextmanager
    def _worker(self) -> Iterator[None]:
        """After a failure the next task gets a fresh one."""
        try:
            yield
        except FAILURES:
            self.crew.lose(self.lane)
            raise
