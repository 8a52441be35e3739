"""NumPy in a thread of its own, and a ``wait`` that does not wait for it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from backends.numpy import Backend
from backends.numpy.program import Program


class ThreadedProgram(Program):
    """Steps are done later. Whoever asks for a result or the state gets the right one."""

    def __init__(self, *arguments):
        self.thread = ThreadPoolExecutor(1)
        super().__init__(*arguments)

    def predict(self, batch):
        return self.thread.submit(super().predict, batch)

    def train_step(self, batch):
        return self.thread.submit(super().train_step, batch)

    def wait(self):
        pass

    def numpy(self, array):
        return super().numpy(array.result() if isinstance(array, Future) else array)

    def state(self):
        self.join()
        return super().state()

    def load_state(self, state):
        self.join()
        super().load_state(state)

    def join(self):
        self.thread.submit(int).result()


class LossOnlyProgram(ThreadedProgram):
    """Waits for the result of the last step, while its update goes on."""

    latest = None

    def predict(self, batch):
        self.latest = super().predict(batch)
        return self.latest

    def train_step(self, batch):
        self.latest = self.thread.submit(self._first_half, batch)
        self.thread.submit(self._second_half, batch)
        return self.latest

    def wait(self):
        if self.latest is not None:
            self.latest.result()

    def _first_half(self, batch):
        return self._differentiate(batch)[0]

    def _second_half(self, batch):
        for _ in range(8):  # much longer than a loss
            Program.train_step(self, batch)


class FillingProgram(ThreadedProgram):
    """Gives out memory that is filled later, as a device's would be."""

    def predict(self, batch):
        return self.later(Program.predict, batch, (len(batch.targets), 3))

    def train_step(self, batch):
        return self.later(Program.train_step, batch, ())

    def later(self, step, batch, shape):
        result = np.zeros(shape)

        def fill():
            result[...] = step(self, batch)

        self.thread.submit(fill)
        return result

    def state(self):
        return Program.state(self)


class Threaded(Backend):
    name = "hasty-thread"
    program = ThreadedProgram

    def build(self, task, parameters):
        self.check(task)
        return self.program(self, task, parameters)


class LossOnly(Threaded):
    name = "hasty-loss"
    program = LossOnlyProgram


class Filling(Threaded):
    name = "hasty-memory"
    program = FillingProgram
