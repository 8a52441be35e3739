"""A process that builds many programs compiles each: PyTorch's dynamo gives up after 8 variants of
a function and goes on uncompiled, which a log alone tells.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDS = """
import numpy as np
import torch
from backends.torch import Backend
from tasks import spec
from tasks.base import Batch, Task
from tasks.codec import NamedData
from tasks.parameters import initial

backend = Backend(execution="compiled")
layers = (("fc", spec.Linear(in_features=2, out_features=2)),)
model = spec.ModelSpec(name="one", input=spec.Input(shape=(2,)), layers=layers)
task = Task(name="one", model=model, data=NamedData(name="none"), loss=spec.CrossEntropy(),
            optimizer=spec.SGD(learning_rate=0.1), batch_size=1, timed_batch_size=1, epochs=1)
for number in range(1, 11):
    program = backend.build(task, initial(model, 0))
    before = backend.compilations()
    size = 1 + number
    program.predict(Batch(inputs=np.ones((size, 2)), targets=np.zeros(size, np.int32)))
    print(backend.compilations() - before)
"""


def test_the_tenth_program_of_a_process_is_compiled_too():
    done = subprocess.run(
        [ROOT / ".nox" / "torch" / "bin" / "python", "-c", BUILDS],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"] * 10, done.stderr
