"""One file of CIFAR-10's python version, read without trusting it.

The files are pickles, and a pickle may have any function of any module called. The unpickler here
knows the names that these files need, each of which stands for something harmless, and refuses
all others; not even NumPy's own objects are built as a file says. What it says is checked first.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHAPE, CLASSES = (3, 32, 32), 10

Images = NDArray[np.uint8]
Labels = NDArray[np.int32]


class Cifar10Error(ValueError):
    """A file that is missing, broken or cannot be downloaded; the message names it."""


def read_batch(file: Path, content: bytes) -> tuple[Images, Labels]:
    """The images (n, 3, 32, 32) and labels (n,) of one file, n at least 1. Raises Cifar10Error if
    the content is not that; ``file`` is what the message calls it.
    """
    try:
        entries = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a broken pickle raises nearly anything
        why = str(error) or type(error).__name__
        raise Cifar10Error(f"{file} is not a batch of CIFAR-10: {why}") from error
    if not isinstance(entries, dict):
        kind = type(entries).__name__
        raise Cifar10Error(f"{file} must hold a dictionary with data and labels, not {kind}")
    # Python 2 wrote byte strings, Python 3 may write text.
    named = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in entries.items()}
    images = _images(file, named.get("data"))
    return images, _labels(file, named.get("labels"), len(images))


def _images(file: Path, data: Any) -> Images:
    match data:
        case _Record(
            state=(_, (int(n), 3072), _Record(arguments=("u1" | b"u1", *_)), fortran, bytes(raw))
        ) if len(raw) == n * 3072 > 0:
            rows = np.frombuffer(raw, np.uint8).reshape(n, 3072, order="F" if fortran else "C")
            return rows.reshape(n, *SHAPE)
        case _Record(state=(_, tuple(shape), _Record(arguments=(kind, *_)), _, bytes(raw))):
            name = kind.decode() if isinstance(kind, bytes) else kind
            found = f"{name} of shape {shape} in {len(raw)} bytes"
        case _:
            found = "none" if data is None else type(data).__name__.lstrip("_").lower()
    raise Cifar10Error(f"{file}: data must be an array u1 of shape (n, 3072), n > 0, not {found}")


def _labels(file: Path, labels: Any, count: int) -> Labels:
    if not isinstance(labels, list) or len(labels) != count:
        found = f"{len(labels)} of them" if isinstance(labels, list) else type(labels).__name__
        raise Cifar10Error(f"{file}: labels must be a list of {count}, one an image, not {found}")
    for place, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < CLASSES:
            allowed = f"a whole number from 0 to {CLASSES - 1}"
            raise Cifar10Error(f"{file}: label {place} must be {allowed}, not {label!r:.40}")
    return np.array(labels, dtype=np.int32)


class _Record:
    """Stands for NumPy's classes and functions: keeps what it is told and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _record_of_buffer(raw: Any, kind: Any, shape: Any, order: Any) -> _Record:
    """What protocol 5 calls; the same array as the older protocols tell it."""
    record = _Record()
    record.state = (1, shape, kind, order == "F", bytes(raw))
    return record


def _byte_string(text: str, encoding: str) -> bytes:
    """How Python 3 writes byte strings in Python 2's protocol."""
    return text.encode("latin1")


NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Record,
    ("numpy", "dtype"): _Record,
    # The module was renamed in NumPy 2.
    ("numpy.core.multiarray", "_reconstruct"): _Record,
    ("numpy._core.multiarray", "_reconstruct"): _Record,
    ("numpy.core.numeric", "_frombuffer"): _record_of_buffer,
    ("numpy._core.numeric", "_frombuffer"): _record_of_buffer,
    ("_codecs", "encode"): _byte_string,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no such file needs")
        return NAMES[module, name]
