"""A row is one operator in one way of a framework: what is called, and whether its answer is right.

``python -m tests.studies.operators.rows torch REFERENCE`` checks every row and times nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from backends.base import NotSupported, Program
from suite.parity.layer_checks import compare
from tasks import spec
from tests.studies.operators.operators import OPERATORS, PATH, Operator, Way

Answer = dict[str, object]  # native arrays: "output", "input" (its gradient), and gradients by name
Calls = dict[str, Callable[[], Answer]]

TOLERANCE = 1e-5  # of the norm; the worst of 92 rows, float32 on the CPU, was off by 1.5e-6


def framework(name: str) -> ModuleType:
    """The ways of a framework, and its ``forward_backward``."""
    return import_module(f"tests.studies.operators.{name}_operators")


def rows(module: ModuleType) -> Iterator[tuple[Operator, Way]]:
    """Every operator in every way."""
    for operator in OPERATORS:
        for way in module.WAYS:
            if isinstance(operator.layer, way.layers):
                yield operator, way


def prepare(module: ModuleType, operator: Operator, way: Way, device: str) -> tuple[Program, Calls]:
    """The operator as built, and a call for each pass, which returns when the device is done.
    Raises NotSupported, then or at the first call.
    """
    backend = way.backend(device=device, execution=way.execution)
    program = backend.build(operator.task, operator.parameters())
    batch, upstream = program.put(operator.inputs()), program.put(operator.upstream()).inputs

    def forward() -> Answer:
        y = program.predict(batch)
        program.wait()
        return {"output": y}

    backward = module.forward_backward(program, batch, upstream)
    return program, {"forward": forward, "forward_backward": backward}


def expected(operator: Operator, file: Path) -> dict[str, dict[str, np.ndarray]]:
    """By pass, the right answer; the file is the one that ``reference`` has written."""
    with np.load(file) as arrays:
        both = spec.local({name.replace("/", "."): arrays[name] for name in arrays}, operator.name)
    return {"forward": {"output": both["output"]}, "forward_backward": both}


def error(program: Program, answer: Answer, wanted: dict[str, np.ndarray]) -> float:
    """The worst array's ‖found - wanted‖ / ‖wanted‖. Raises ValueError above the tolerance, or if
    arrays are missing: a fast wrong operator is not timed.
    """
    if answer.keys() != wanted.keys():
        raise ValueError(f"the answer has {sorted(answer)}, and should have {sorted(wanted)}")
    found = {
        name: program.activation(value)
        if name in ("output", "input")
        else program.canonical(f"{PATH}.{name}", value)
        for name, value in answer.items()
    }
    errors = compare(found, wanted)
    worst = max(errors, key=lambda name: errors[name])
    if errors[worst] > TOLERANCE:
        raise ValueError(f"{worst} is off by {errors[worst]:.1e}, allowed is {TOLERANCE:.0e}")
    return errors[worst]


def main(name: str, reference: str, *parts: str) -> None:
    """A line for each row (whose name has one of the parts, if any) and pass; the first wrong one
    raises.
    """
    module = framework(name)
    for operator, way in rows(module):
        row = f"{operator.name}-{way.name}"
        if parts and not any(part in f"{row} " for part in parts):
            continue
        try:
            program, calls = prepare(module, operator, way, "cpu")
            for direction, wanted in expected(operator, Path(reference)).items():
                print(f"{row} {direction}: {error(program, calls[direction](), wanted):.0e}")
        except NotSupported as why:
            print(f"{row} not supported: {why}")


if __name__ == "__main__":
    main(*sys.argv[1:])
