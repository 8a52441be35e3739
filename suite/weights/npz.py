"""NumPy's archive of arrays, as tribench keeps canonical parameters."""

from __future__ import annotations

import io
import zipfile
from math import prod
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.lib import format as numpy_format
from numpy.typing import NDArray

from backends.weights import Room
from suite.engine.arrays import Arrays
from suite.weights.contents import Contents, WeightsError, refused, regular, shown

END = ".npy"


def read(path: Path) -> Contents:
    """Every array. No object is made: an array of objects is refused before it is read."""
    arrays = dict[str, NDArray[Any]]()
    # Of damaged files zipfile, its decompressors and NumPy's reader of headers, which is Python's
    # tokenizer, raise exceptions of many kinds.
    with refused(path, Exception, what="is no whole .npz file"), catch_warnings():
        simplefilter("ignore")  # NumPy's, about files of Python 2
        room = Room.of(regular(path))
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(END)
                if name in arrays or name == member.filename:
                    what = "is there twice" if name in arrays else "is no array"
                    raise WeightsError(f"{path}: {shown(name)} {what}")
                room.take(shown(name), member.file_size)
                arrays[name] = _array(archive.read(member))
    return Contents(arrays=arrays)


def encoded(arrays: Arrays) -> bytes:
    """A file of these arrays."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


def _array(data: bytes) -> NDArray[Any]:
    """One whose header says as much as there is: what it says is not taken from memory first."""
    file = io.BytesIO(data)
    version = numpy_format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array has the version {version}; known are 1.0 and 2.0")
    header = (
        numpy_format.read_array_header_1_0
        if version == (1, 0)
        else numpy_format.read_array_header_2_0
    )
    shape, fortran, kind = header(file)
    if kind.hasobject:
        raise ValueError("an array holds objects, which would have to be unpickled")
    rest = data[file.tell() :]
    if len(rest) != prod(shape) * kind.itemsize or min(shape, default=0) < 0:
        raise ValueError(f"an array of {shape} has {len(rest)} bytes")
    return np.frombuffer(rest, kind).reshape(shape, order="F" if fortran else "C")
