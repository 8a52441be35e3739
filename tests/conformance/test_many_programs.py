"""A process that builds many programs compiles each: PyTorch's dynamo gives up after 8 variants of
a function and goes on uncompiled, which a log alone tells. Nor does it tell of words that it breaks
a graph at.
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

GRAPHS = """
import numpy as np
from torch._dynamo.utils import counters
from backends.torch import Backend
from tasks import spec
from tasks.base import Batch
from tasks.codec import bare
from tasks.parameters import initial

square = spec.Linear(in_features=4, out_features=4)
body = (("fc", square), ("sum", spec.Residual(layers=(("add", spec.Add(), ("", "first")),))))
layers = (
    ("first", square),
    ("block", spec.Sequential(layers=body)),
    ("cat", spec.Concat(), ("block", "", "first")),
    ("head", spec.Linear(in_features=12, out_features=4)),
)
ties = (("block.fc.weight", "first.weight"),)
model = spec.ModelSpec(name="graph", input=spec.Input(shape=(4,)), layers=layers, ties=ties)
task = bare(model, spec.SGD(learning_rate=0.1), 2)
program = Backend(execution="compiled").build(task, initial(model, 0))
batch = program.put(Batch(inputs=np.ones((2, 4)), targets=np.zeros(2, np.int32)))
program.predict(batch)
program.train_step(batch)
program.train_step(batch)
print(program.compilations(), len(counters["graph_break"]))
"""


def test_the_tenth_program_of_a_process_is_compiled_too():
    assert told(BUILDS) == ["1"] * 10


def test_a_step_and_a_prediction_are_one_graph_each():
    assert told(GRAPHS) == ["2", "0"]


def told(code):
    done = subprocess.run(
        [ROOT / ".nox" / "torch" / "bin" / "python", "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()
