"""Adapters that do what a test tells them: a package of its own, found by entry point.

They compute with the NumPy reference, so parity holds, and then take the time that they are told:
on a clock of their own, which the worker's stopwatch reads, so that the told times come out exactly
and at once. The environment variable SCRIPT names a JSON file, {backend: {"step_seconds": 0.01,
"sleep": false, "live": 1000, "die_at_step": 5, "fail_at_step": 5, "die_in": "train"}}; steps are
those of the timed batch, per process. With "sleep" the time really passes too.
"""

from __future__ import annotations

import json
import os
import signal
import time

from backends.base import Memory
from backends.numpy import Backend
from backends.numpy.program import Program
from suite.worker import operations

TIMED_FROM = 64  # samples; the recipes' batches are smaller


class Clock:
    """Stands for the time module in the worker's stopwatch."""

    now = 0.0

    @classmethod
    def perf_counter(cls) -> float:
        return cls.now


class ScriptedProgram(Program):
    """The reference's program with a schedule."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        with open(os.environ["SCRIPT"], encoding="utf-8") as file:
            self.script = json.load(file).get(self._backend.name, {})
        self.count = {"train": 0, "infer": 0}
        self.timed = {}

    def predict(self, batch):
        return self.act("infer", batch, super().predict)

    def train_step(self, batch):
        return self.act("train", batch, super().train_step)

    def memory(self) -> Memory:
        return Memory(live_bytes=self.script.get("live"), reserved_bytes=None)

    def act(self, phase, batch, compute):
        if len(batch.targets) < TIMED_FROM:
            return compute(batch)
        self.count[phase] += 1
        if self.script.get("die_in", phase) == phase:
            if self.count[phase] == self.script.get("die_at_step"):
                os.kill(os.getpid(), signal.SIGKILL)
            if self.count[phase] == self.script.get("fail_at_step"):
                raise MemoryError("told to run out of memory")
        if phase not in self.timed:  # computed once: the rest is waiting
            self.timed[phase] = compute(batch)
        seconds = self.script.get("step_seconds", 0.01)
        Clock.now += seconds
        time.sleep(seconds if self.script.get("sleep") else 0)
        return self.timed[phase]


class Scripted(Backend):
    """Takes ``step_seconds`` a step."""

    name = "scripted"
    framework = "numpy"
    precisions = ("float64", "float32")

    def build(self, task, parameters):
        self.check(task)
        operations.time = Clock
        return ScriptedProgram(self, task, parameters)


class Rival(Scripted):
    """Another of the kind."""

    name = "rival"
