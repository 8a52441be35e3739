"""Files of weights that a framework or a library beside it reads: nothing that such a file does to
its reader reaches the coordinator.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from suite.worker.workshop import Workshop, operation, save

NUMBERS = "fiub"  # kinds of NumPy: floats, integers, truth values


@operation
def read_weights(workshop: Workshop, framework: str, path: str, made: str) -> list[str]:
    """Write the arrays of a file to ``made``, by their numbers in the list of names that is
    answered. ``framework`` is the folder of ``backends/`` that has the reader.
    """
    found: dict[str, Any] = import_module(f"backends.{framework}.weights").read(path)
    for name, array in found.items():
        if array.dtype.kind not in NUMBERS:
            raise ValueError(f"{name!r} is no array of numbers")
    save(made, {str(number): array for number, array in enumerate(found.values())})
    return [*found]


@operation
def write_weights(
    workshop: Workshop, framework: str, names: list[str], given: str, path: str
) -> None:
    """The inverse: a file of the arrays in ``given``, under these names."""
    with np.load(given) as arrays:
        own = {name: arrays[str(number)] for number, name in enumerate(names)}
    import_module(f"backends.{framework}.weights").write(path, own)
