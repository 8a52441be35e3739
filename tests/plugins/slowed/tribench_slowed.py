"""PyTorch, with every step made to last a known share longer: what a run must find."""

from __future__ import annotations

import time
from typing import ClassVar

from backends.torch import Backend
from backends.torch.program import Program


class SlowedProgram(Program):
    """Each step is followed by idle turns for its own duration times the backend's ``more``."""

    def predict(self, batch):
        return self._slowed(super().predict, batch)

    def train_step(self, batch):
        return self._slowed(super().train_step, batch)

    def _slowed(self, step, batch):
        began = time.perf_counter()
        result = step(batch)
        self.wait()
        end = began + (1 + self.backend.more) * (time.perf_counter() - began)
        while time.perf_counter() < end:
            pass
        return result


class Slowed(Backend):
    """``more`` is the share of a step's time that is added to it."""

    more: ClassVar[float]

    def build(self, task, parameters):
        self.check(task)
        return SlowedProgram(self, task, parameters)


class FiveSlower(Slowed):
    name = "torch-5-slower"
    more = 0.05


class TenSlower(Slowed):
    name = "torch-10-slower"
    more = 0.10
