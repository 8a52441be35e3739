"""What every operator's answer should be: NumPy's in float64, canonical. It is written to a file,
because it needs SciPy, which the frameworks' environments lack.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from backends.numpy import Backend
from tests.studies.operators.operators import OPERATORS, PATH, Operator


def answer(operator: Operator) -> dict[str, np.ndarray]:
    """The output, the input's gradient as ``input``, and the gradients by local name."""
    program = Backend(precision="float64").build(operator.task, operator.parameters())
    found = program.layer_vjp(PATH, operator.inputs().inputs, operator.upstream().inputs)
    return {"output": found.output, "input": found.input_gradients} | dict(found.gradients)


def write(file: Path) -> None:
    """All answers, by ``operator/array``."""
    found = {operator.name: answer(operator) for operator in OPERATORS}
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez(file, **{f"{o}/{name}": a for o, named in found.items() for name, a in named.items()})


if __name__ == "__main__":
    write(Path(sys.argv[1]))
