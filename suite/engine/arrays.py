"""Arrays that travel as files. A file is replaced as a whole: who has read the one before it keeps
what he has.
"""

from __future__ import annotations

from io import BufferedReader
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from zipfile import ZIP_STORED, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from suite.files import writing

Arrays = dict[str, NDArray[Any]]

LARGE = 1 << 20  # bytes from which an array stays in its file: those of a real model are 10 GB
LOCAL_HEADER, LENGTHS = 30, 26  # of a zip member: its bytes, and where in it two lengths stand


def write(path: str | Path, arrays: Arrays) -> str:
    """Write an .npz, whole or not at all; its path. WriteError where the system refuses it."""
    whole = Path(path)
    with writing(whole):
        with NamedTemporaryFile(dir=whole.parent, suffix=".npz", delete=False) as file:
            part = Path(file.name)
            try:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            except BaseException:
                part.unlink()
                raise
        part.replace(whole)
    return str(path)


def read(path: str) -> Arrays:
    """The arrays of an .npz. Large ones are mapped, to be read alone: they take no memory until
    they are looked at, and none that others cannot have back.
    """
    with open(path, "rb") as file, np.load(file) as arrays:
        members = dict(zip(arrays.files, arrays.zip.infolist(), strict=True))
        large = {name for name, member in members.items() if _large(member)}
        # One for all: each keeps a file open.
        whole = np.memmap(file, np.uint8, mode="r") if large else None
        return {
            name: _mapped(file, members[name], whole) if name in large else arrays[name]
            for name in members
        }


def _large(member: ZipInfo) -> bool:
    return member.file_size >= LARGE and member.compress_type == ZIP_STORED


def _mapped(file: BufferedReader, member: ZipInfo, whole: Any) -> NDArray[Any]:
    """An array that lies in the open file as np.save writes it."""
    file.seek(member.header_offset + LENGTHS)
    name, extra = np.frombuffer(file.read(4), "<u2")
    file.seek(member.header_offset + LOCAL_HEADER + int(name) + int(extra))
    header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    shape, fortran, dtype = header[npy.read_magic(file)](file)
    order: Any = "F" if fortran else "C"
    return np.ndarray(shape, dtype, buffer=whole, offset=file.tell(), order=order)
