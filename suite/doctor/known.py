"""Programs of which is known what a measurement must say. Standard library and NumPy only: workers
load them by their targets, so that they are no backends of anybody's.
"""

from __future__ import annotations

import json
import time
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from backends.base import Arrays, Backend, Memory, Program, State
from tasks.base import Batch, Task

STEP_SECONDS = 0.01
SPIN_SECONDS = 0.001  # before the end of a step; a sleep alone ends 60 to 100 µs late
ALLOCATED_BYTES = 256 << 20


class Idle:
    """What is asked of a program while it is timed, and of that nothing is done."""

    def put(self, batch: Batch) -> Batch:
        """The batch as it is."""
        return batch

    def wait(self) -> None:
        """Nothing is ever under way."""

    def compilations(self) -> None:
        """Nothing is compiled."""

    def predict(self, batch: Batch) -> NDArray[Any]:
        """Logits of 0."""
        return np.zeros(len(batch))

    def train_step(self, batch: Batch) -> Any:
        """A loss of 0."""
        return np.float64(0.0)

    def numpy(self, array: Any) -> NDArray[np.float64]:
        """As it is."""
        return np.asarray(array, np.float64)

    def load_state(self, state: State) -> None:
        """Nothing is ever changed."""

    def memory(self) -> Memory:
        """Not known."""
        return Memory(live_bytes=None, reserved_bytes=None)

    def facts(self) -> dict[str, str]:
        """None."""
        return {}


class Sleeping(Idle):
    """A metronome: after a wait the n-th step ends n steps later, so that a step which the system
    let end late does not make the block longer. It keeps its own account of what it took.
    """

    def __init__(self) -> None:
        self.began = self.ended = 0.0
        self.steps = 0
        self.account: dict[str, list[tuple[int, float]]] = {"train": [], "infer": []}
        self.phase = "train"

    def wait(self) -> None:
        """Close the account of a block; the next step starts the metronome."""
        if self.steps:
            self.account[self.phase].append((self.steps, self.ended - self.began))
        self.steps = 0

    def predict(self, batch: Batch) -> NDArray[Any]:
        """Logits of 0, in time."""
        self._beat("infer")
        return super().predict(batch)

    def train_step(self, batch: Batch) -> Any:
        """A loss of 0, in time."""
        self._beat("train")
        return super().train_step(batch)

    def facts(self) -> dict[str, str]:
        """The account: [steps, seconds] of each block so far, by phase."""
        return {phase: json.dumps(blocks) for phase, blocks in self.account.items()}

    def _beat(self, phase: str) -> None:
        now = time.perf_counter()
        if self.steps == 0:
            self.began, self.phase = now, phase
        self.steps += 1
        due = self.began + self.steps * STEP_SECONDS
        time.sleep(max(0.0, due - SPIN_SECONDS - now))
        while (now := time.perf_counter()) < due:
            pass
        self.ended = now


class Allocating(Idle):
    """A step that writes to so much new memory and gives it back."""

    def predict(self, batch: Batch) -> NDArray[Any]:
        """Logits of 1."""
        filled = np.ones(ALLOCATED_BYTES // 8)
        return filled[: len(batch)].copy()

    def memory(self) -> Memory:
        """What it allocates, as a framework would tell."""
        return Memory(live_bytes=ALLOCATED_BYTES, reserved_bytes=None)


class Known(Backend):
    """Whatever the task is, its program does what it always does."""

    framework = "numpy"
    executions = ("eager",)
    program: ClassVar[type[Idle]]

    def build(self, task: Task, parameters: Arrays) -> Program:
        """It lacks what only parity and accuracy ask."""
        return self.program()  # type: ignore[return-value]


class Sleeper(Known):
    """Every step takes ``STEP_SECONDS``."""

    name = "sleeper"
    program = Sleeping


class Allocator(Known):
    """Every step allocates ``ALLOCATED_BYTES``."""

    name = "allocator"
    program = Allocating
