"""Adapters whose times are of something else than their task says, each in one way, and one honest
one. All are the reference but for that, so that whatever is asked of a small batch is right.
"""

from __future__ import annotations

import threading
import time

import numpy as np

from backends.base import lowers
from backends.numpy import Backend
from backends.numpy.program import Program
from suite.worker import stopwatch
from tasks import spec

CLOCKS = (time.perf_counter, time.monotonic)
MANY = 64  # samples; the recipes' batches are smaller, those that are timed are not


class Honest(Backend):
    """No fault."""

    name = "honest"
    precisions = ("float64", "float32")
    program = Program

    def build(self, task, parameters):
        self.check(task)
        return self.program(self, task, parameters)


def _half(array):
    return array.astype(np.float16).astype(array.dtype)


def cheat(program):
    """A backend with these programs, under their name."""
    name = program.__name__.lower()
    return type(program.__name__, (Honest,), {"name": name, "program": program})


class ZeroLstm(Honest):
    """An LSTM that answers zeros from 64 samples on."""

    name = "zerolstm"

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        y, vjp = super().lstm(layer, parameters, x, context)
        return (0 * y if len(x) >= MANY else y), vjp


class NanLinear(Honest):
    """A linear layer that gives NaN from 64 samples on."""

    name = "nanlinear"

    @lowers(spec.Linear)
    def linear(self, layer, parameters, x, context):
        y, vjp = super().linear(layer, parameters, x, context)
        return (y * np.nan if len(x) >= MANY else y), vjp


class Detached(Honest):
    """An LSTM without gradients from 64 samples on."""

    name = "detached"

    @lowers(spec.LSTM)
    def lstm(self, layer, parameters, x, context):
        y, vjp = super().lstm(layer, parameters, x, context)

        def cut(dy):
            dx, gradients = vjp(dy)
            return 0 * dx, {n: g._replace(value=0 * g.value) for n, g in gradients.items()}

        return y, cut if len(x) >= MANY else vjp


class ConstantLoss(Honest):
    """A loss that is divided by the recipe's batch size, 16."""

    name = "constantloss"

    def loss(self, loss, logits, targets, valid):
        value, gradient = super().loss(loss, logits, targets, valid)
        return value * len(targets) / 16, gradient * len(targets) / 16


class HalfLinear(Honest):
    """A linear layer in float16, where a large batch is trained on."""

    name = "halflinear"

    @lowers(spec.Linear)
    def linear(self, layer, parameters, x, context):
        if len(x) < MANY or not context.training:
            return super().linear(layer, parameters, x, context)
        half = {name: _half(value) for name, value in parameters.items()}
        y, vjp = super().linear(layer, half, _half(x), context)
        return _half(y), lambda dy: vjp(_half(dy))


class SlowClock(Honest):
    """A worker whose stopwatch is slow."""

    name = "slowclock"

    def build(self, task, parameters):
        if stopwatch.seconds is time.perf_counter:
            stopwatch.seconds = lambda: 0.7 * time.perf_counter()
            stopwatch.wall_seconds = lambda: 0.7 * time.time()
        return super().build(task, parameters)


class PatchedTime(Honest):
    """Slows the clocks of the module ``time``, which nothing is timed with."""

    name = "patchedtime"

    def build(self, task, parameters):
        if time.perf_counter is CLOCKS[0]:
            time.perf_counter = lambda: 0.1 * CLOCKS[0]()
            time.monotonic = lambda: 0.1 * CLOCKS[1]()
        return super().build(task, parameters)


class Remembering(Program):
    """Predicts a batch that it has met by looking it up."""

    def predict(self, batch):
        known = self.__dict__.setdefault("known", {})
        if id(batch) not in known:
            known[id(batch)] = (batch, super().predict(batch))
        return known[id(batch)][1]

    def load_state(self, state):
        super().load_state(state)
        self.known = {}


class Beforehand(Program):
    """Predicts a batch when it is put on the device."""

    def put(self, batch):
        batch = super().put(batch)
        if len(batch) >= MANY:
            self.__dict__.setdefault("known", {})[id(batch)] = (batch, super().predict(batch))
        return batch

    def predict(self, batch):
        known = self.__dict__.get("known", {})
        return known[id(batch)][1] if id(batch) in known else super().predict(batch)


class Prepared(Program):
    """Predicts a batch when it is put on the device, and again if the parameters have changed."""

    version = 0

    def put(self, batch):
        batch = super().put(batch)
        answer = (batch, self.version, super().predict(batch))
        self.__dict__.setdefault("known", {})[id(batch)] = answer
        return batch

    def predict(self, batch):
        _, version, logits = self.known[id(batch)]
        return logits if version == self.version else super().predict(batch)

    def train_step(self, batch):
        self.version += 1
        return super().train_step(batch)

    def load_state(self, state):
        self.version += 1
        super().load_state(state)


class Planned(Program):
    """Trains with a batch that it has met in less time than with a new one."""

    def train_step(self, batch):
        known = self.__dict__.setdefault("known", {})
        if id(batch) not in known:
            known[id(batch)] = (batch, super().predict(batch))
        return super().train_step(batch)


class OnePlace(Program):
    """Puts all predictions of a size where the one before is."""

    def predict(self, batch):
        logits = super().predict(batch)
        place = self.__dict__.setdefault("places", {}).setdefault(logits.shape, logits)
        place[...] = logits
        return place


class Stale(Program):
    """Gives what it gave for the batch before."""

    def predict(self, batch):
        if len(batch) < MANY:
            return super().predict(batch)
        before = self.__dict__.get("before")
        if before is None or self.age > 3:
            self.before, self.age = super().predict(batch), 0
        self.age += 1
        return self.before


class Idle(Program):
    """Leaves the update out from 64 samples on."""

    def train_step(self, batch):
        if len(batch) < MANY:
            return super().train_step(batch)
        return self._differentiate(batch)[0]


class EveryOther(Program):
    """Leaves every second update out."""

    def train_step(self, batch):
        self.steps = self.__dict__.get("steps", 0) + 1
        if len(batch) < MANY or self.steps % 2:
            return super().train_step(batch)
        return self._differentiate(batch)[0]


class OneSample(Program):
    """Trains on one sample of a large batch, and tells the loss of all."""

    def train_step(self, batch):
        if len(batch) < MANY:
            return super().train_step(batch)
        loss = self._differentiate(batch)[0]
        super().train_step(batch.take(slice(0, 1)))
        return loss


class Unawaited(Program):
    """Predicts in a thread of its own, for which ``wait`` does not wait."""

    def predict(self, batch):
        answer = {}
        before = self.__dict__.get("thread")

        def work():
            if before is not None:
                before.join()
            time.sleep(0.002)
            answer["logits"] = Program.predict(self, batch)

        self.thread = threading.Thread(target=work)
        self.thread.start()
        return (self.thread, answer)

    def numpy(self, array):
        if isinstance(array, tuple):
            array[0].join()
            array = array[1]["logits"]
        return super().numpy(array)


class Unwatched(Program):
    """Leaves every second update out once nobody has waited or looked for ten steps."""

    unseen = 0

    def train_step(self, batch):
        self.unseen += 1
        if self.unseen > 10 and self.unseen % 2:
            return self._differentiate(batch)[0]
        return super().train_step(batch)

    def wait(self):
        self.unseen = 0

    def numpy(self, array):
        self.unseen = 0
        return super().numpy(array)


class Uncorrected(Program):
    """Leaves Adam's bias correction out from the optimizer's 65th step on."""

    def make_update(self, gradients):
        step = self.step
        self.step = 10**6 if step > 64 else step
        super().make_update(gradients)
        self.step = step + 1


class Counting(Program):
    """Counts its steps since its state was loaded."""

    made = 0

    def train_step(self, batch):
        self.made += 1
        return super().train_step(batch)

    def load_state(self, state):
        super().load_state(state)
        self.made = 0


class FromEleven(Counting):
    """Leaves every second update out from the eleventh on."""

    def make_update(self, gradients):
        if self.made > 10 and self.made % 2:
            self.step += 1
        else:
            super().make_update(gradients)


class Freezing(Counting):
    """Moves the LSTM in every fourth step only, from the eleventh on."""

    def make_update(self, gradients):
        before = dict(self.parameters)
        super().make_update(gradients)
        if self.made > 10 and self.made % 4:
            self.parameters |= {n: a for n, a in before.items() if n.startswith("lstm")}


class Polished(Counting):
    """Is surer of its predictions after 100 steps."""

    def predict(self, batch):
        logits = super().predict(batch)
        return 2 * logits if self.made >= 100 else logits


class Forgetting(Counting):
    """Forgets its moments when it predicts."""

    def predict(self, batch):
        if self.made >= 10:
            self.moments = {
                path: {name: 0 * moment for name, moment in each.items()}
                for path, each in self.moments.items()
            }
        return super().predict(batch)


class Lazy(Program):
    """Predicts when the result is read, or waited for if it is the latest."""

    latest = None

    def predict(self, batch):
        self.latest = ([], batch)
        return self.latest

    def wait(self):
        if self.latest is not None:
            self.numpy(self.latest)

    def numpy(self, array):
        if not isinstance(array, tuple):
            return super().numpy(array)
        kept, batch = array
        if not kept:
            kept.append(Program.predict(self, batch))
        return super().numpy(kept[0])


class Constants(Program):
    """Predicts with the parameters of its first prediction."""

    known = None

    def predict(self, batch):
        now = self.parameters
        self.known = self.known or dict(now)
        self.parameters = self.known
        logits = super().predict(batch)
        self.parameters = now
        return logits

    def load_state(self, state):
        super().load_state(state)
        self.known = None


class Slow(Program):
    """Needs a tenth of a second to put a batch on the device."""

    def put(self, batch):
        time.sleep(0.1)
        return super().put(batch)


PROGRAMS = {
    kind.__name__.lower(): cheat(kind)
    for kind in (
        *(Remembering, Beforehand, Prepared, Planned, OnePlace, Stale, Idle, EveryOther, OneSample),
        *(Unawaited, Unwatched, FromEleven, Polished, Forgetting, Uncorrected, Freezing),
        *(Lazy, Constants, Slow),
    )
}


def __getattr__(name):
    """The backend with these programs."""
    try:
        return PROGRAMS[name]
    except KeyError:
        raise AttributeError(name) from None
