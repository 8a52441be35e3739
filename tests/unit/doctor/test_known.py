"""The programs whose times are known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from suite.doctor import known, selftests
from suite.doctor.known import STEP_SECONDS
from suite.worker import adapters
from tasks.base import Batch
from tasks.codec import bare
from tasks.parameters import initial
from tasks.spec import SGD


def program(kind):
    task = bare(selftests.MODEL, SGD(learning_rate=0.1), selftests.BATCH)
    adapter = adapters.load(f"suite.doctor.known:{kind}")
    return adapter(precision="float32").build(task, initial(task.model, 0))


def test_the_metronome_takes_what_it_is_set_to():
    sleeper, batch = program("Sleeper"), Batch(inputs=np.zeros((8, 64)), targets=np.zeros(8))
    sleeper.wait()
    began = time.perf_counter()
    for _ in range(5):
        sleeper.train_step(batch)
    took = time.perf_counter() - began
    sleeper.wait()
    ((steps, seconds),) = sleeper.account["train"]
    assert steps == 5
    assert 5 * STEP_SECONDS <= round(seconds, 9) <= took  # a difference of two late readings


def test_the_known_programs_are_no_backends():
    assert not [name for name in adapters.targets() if "known" in name]
    assert known.Sleeper.name not in adapters.targets()
    with pytest.raises(KeyError):
        adapters.load("sleeper")
