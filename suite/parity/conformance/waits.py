"""A check of ``wait``, on which every time that is measured stands."""

from __future__ import annotations

from suite.engine.remote import RemoteBackend
from suite.parity.conformance.checks import Broken, Errors, check
from suite.parity.conformance.programs import CLASSES, PLAIN_SGD, Whole, reals, task
from suite.worker.waiting import MOST_STEPS, fault
from tasks import spec
from tasks.spec import Layers

WIDTH, DEPTH = 256, 4
# Samples a step: 3 to 15 ms of work on 2 cores. Where that is done too soon to last, as on a GPU,
# the next size is tried; activations of the largest take 128 MiB a layer.
SIZES = (512, 8192, 131072)
PAUSE_SECONDS = 0.1


def long_steps() -> Whole:
    """Much work and little state."""
    hidden: Layers = tuple(
        layer
        for number in range(DEPTH)
        for layer in (
            (f"linear{number}", spec.Linear(in_features=WIDTH, out_features=WIDTH)),
            (f"relu{number}", spec.ReLU()),
        )
    )
    last = ("fc", spec.Linear(in_features=WIDTH, out_features=CLASSES))
    return Whole(task("long", (WIDTH,), (*hidden, last), PLAIN_SGD), reals((WIDTH,)))


# Times are measured in float32 and below, and how one waits is the same in all of them.
@check("wait", {"train": (long_steps(), "train"), "infer": (long_steps(), "infer")}, ("float32",))
def nothing_is_left_when_wait_returns(
    adapter: RemoteBackend, reference: RemoteBackend, case: tuple[Whole, str]
) -> Errors:
    """Results and state are there, do not change any more, and take no time to come."""
    whole, phase = case
    program = adapter.program(whole.task, whole.batch)
    for size in SIZES:
        looks = program.program.waits(phase, size, inside=True, pause_seconds=PAUSE_SECONDS)
        if (why := fault(looks)) is not None:
            raise Broken(why)
        if looks[0].steps < MOST_STEPS:
            break
    return {}
