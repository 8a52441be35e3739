"""Adapters that do what a test tells them: a package of its own, found by entry point.

They compute with the NumPy reference, so parity holds, and then take the time that they are told:
on clocks of their own, which the worker's stopwatch reads, so that the told times come out exactly
and at once. The environment variable SCRIPT names a JSON file, {backend: {key: value}}:

    step_seconds    0.01    what a step takes
    unsteady        "train" in this phase another process takes up to twice as long
    pressure        0.77    the share of the time in which something waits for a core beside blocks;
                    0 unless told, so that what else runs beside a test makes no cell disturbed
    sleep           true    the time really passes too
    live            1000    bytes of live memory
    recompile       true    something is compiled in every step
    compile_at      20      something is compiled in this step
    jump            {"at": 20, "clock": "wall" or "monotonic", "seconds": -5}
    at, in          20, "train"    where the following happens; without a phase, in both
    do              an action's name, see ACTIONS
    flops_per_second    1e11  how fast matrices are multiplied where ceilings are measured
    not_finite      "training", "evaluation", "logits" or "capture"

Steps are those of the timed batch, from 1, per process.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import sys
import time
from dataclasses import replace
from typing import ClassVar

import numpy as np

from backends.base import Memory
from backends.numpy import Backend
from backends.numpy.program import Program
from suite.machine import noise
from suite.worker import stopwatch, timed
from suite.worker.workshop import OPERATIONS

COMPUTED = 3  # steps of a training
TIMED_FROM = 64  # samples; the recipes' batches are smaller
GIBIBYTE = 2**30
TICKS = 2**30  # a second


class Clock:
    """Stands for the clocks of the worker's stopwatch. Its ticks are a power of two, so that
    a step takes the same time whenever it runs, and no less than told: whether 0.1 s are 10 steps
    of 0.01 s or 11 hung on how long the machine had been up.
    """

    now: ClassVar = {"monotonic": 0.0, "wall": 1e9}

    @classmethod
    def perf_counter(cls) -> float:
        return cls.now["monotonic"]

    @classmethod
    def time(cls) -> float:
        return cls.now["wall"]

    @classmethod
    def advance(cls, seconds: float) -> None:
        for name in cls.now:
            cls.now[name] += math.ceil(seconds * TICKS) / TICKS


def block(*given, **asked):
    """A block whose whole took as long as it took: its own clock is not to be doubted."""
    began = time.perf_counter()
    times = timed.block(*given, **asked)
    return times._replace(whole_seconds=time.perf_counter() - began)


class Quiet:
    """Stands for suite.machine.noise in the worker: a machine as busy as it is told to be."""

    read = staticmethod(noise.read)

    @staticmethod
    def between(start: noise.Reading, end: noise.Reading) -> dict:
        with open(os.environ["SCRIPT"], encoding="utf-8") as file:
            told = json.load(file).values()
        pressure = max((one.get("pressure", 0.0) for one in told), default=0.0)
        return noise.between(start, end) | {"pressure": pressure, "steal": 0.0}


def hang() -> None:
    """Never answer, and hear no signal that can be ignored."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(1)


def allocate() -> None:
    """More than a limit allows, in pieces that are kept."""
    kept = []
    while True:
        kept.append(np.empty(GIBIBYTE // 4, dtype=np.uint8))


def send(content: bytes) -> None:
    """Write to the pipe of answers what is no answer."""
    os.write(int(sys.argv[2]), content)


def flood() -> None:
    """A line without an end."""
    while True:
        send(b"x" * (1 << 20))


def fail() -> None:
    raise MemoryError("told to run out of memory")


def babble() -> None:
    """Print what no terminal wants, on both outputs."""
    for number in (1, 2):
        os.write(number, bytes(range(256)) * 16 + b'\n{"call": 1, "value": null}\n')


ACTIONS = {
    "die": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(0),
    "fail": fail,
    "hang": hang,
    "allocate": allocate,
    "flood": flood,
    "babble": babble,
    "no json": lambda: send(b"\x1b[31mLoading...\n"),
    "no utf-8": lambda: send(b'{"value": "\xff\xfe\x00"}\n'),
    "no object": lambda: send(b"[[1]]\n"),
    "deep": lambda: send(b"[" * 100_000 + b"\n"),
    "another's answer": lambda: send(b'{"call": 0, "value": {"seconds": 1e-9}}\n'),
    "no answer": lambda: send(b"{}\n"),
    "close": lambda: os.close(int(sys.argv[2])),
}


class ScriptedProgram(Program):
    """The reference's program with a schedule."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        with open(os.environ["SCRIPT"], encoding="utf-8") as file:
            self.script = json.load(file).get(self.backend.name, {})
        self.count = {"train": 0, "infer": 0}
        self.compiled = 0
        self.unsteadiness = random.random()

    def load_state(self, state):
        super().load_state(state)
        self.known = {}  # by phase: the batch that was computed last, and what came out
        self.trained = 0  # steps since then

    def predict(self, batch):
        logits = self.act("infer", batch, super().predict)
        return self.spoilt(logits, "logits", math.inf)

    def train_step(self, batch):
        loss = self.act("train", batch, super().train_step)
        if self.script.get("not_finite") == "evaluation":  # the update went wrong, not the loss
            for parameter in self.parameters.values():
                parameter *= np.nan
            return np.float64(1.0)
        return self.spoilt(loss, "training", math.nan)

    def capture(self, batch):
        found = super().capture(batch)
        return replace(found, loss=float(self.spoilt(found.loss, "capture", math.nan)))

    def compilations(self):
        return self.compiled

    def memory(self) -> Memory:
        return Memory(live_bytes=self.script.get("live"), reserved_bytes=None)

    def spoilt(self, value, place, instead):
        return value * instead if self.script.get("not_finite") == place else value

    def act(self, phase, batch, compute):
        if self.task.name.startswith("ceiling"):
            rate = self.script.get("flops_per_second", 1e11)
            Clock.advance(self.task.model.flops() * len(batch.targets) / rate)
            return np.zeros(1)
        if len(batch.targets) < TIMED_FROM:
            return compute(batch)
        script = self.script
        self.count[phase] += 1
        step = self.count[phase]
        if script.get("at") == step and script.get("in", phase) == phase:
            ACTIONS[script["do"]]()
        self.trained += phase == "train"
        of = min(self.trained, COMPUTED) if phase == "train" else batch
        if phase not in self.known or self.known[phase][0] is not of:
            self.known[phase] = (of, compute(batch))  # the rest is waiting
        self.compiled += bool(script.get("recompile")) or script.get("compile_at") == step
        jump = script.get("jump", {})
        if jump.get("at") == step:
            Clock.now[jump["clock"]] += jump["seconds"]
        seconds = script.get("step_seconds", 0.01)
        if script.get("unsteady") == phase:
            seconds *= 1 + self.unsteadiness
        Clock.advance(seconds)
        time.sleep(seconds if script.get("sleep") else 0)
        if phase == "train" and self.trained > COMPUTED:  # a step that moves nothing is left out
            for parameter in self.parameters.values():
                parameter *= 1 - 1e-5
        return self.known[phase][1]


class Scripted(Backend):
    """Takes ``step_seconds`` a step."""

    name = "scripted"
    framework = "numpy"
    precisions = ("float64", "float32")

    def build(self, task, parameters):
        self.check(task)
        if timed.noise is not Quiet:
            built = math.ceil(time.perf_counter())  # building takes some time
            Clock.now["monotonic"] = float(built)
            stopwatch.seconds, stopwatch.wall_seconds = Clock.perf_counter, Clock.time
            timed.noise = Quiet
            OPERATIONS["block"] = block
        return ScriptedProgram(self, task, parameters)


def __getattr__(name):
    """Another of the kind, under whatever name the entry points give it."""
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (Scripted,), {"name": name})
