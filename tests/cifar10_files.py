"""Small files in the format of CIFAR-10's python version, written as Python 2 wrote them."""

from __future__ import annotations

import io
import struct
import tarfile
from pathlib import Path

import numpy as np

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
FILES = (*TRAIN, "test_batch")


def batches(count: int = 40) -> dict[str, tuple[np.ndarray, list[int]]]:
    """{file: (images (count, 3072) uint8, labels)}, the classes in turns."""
    random = np.random.default_rng(0)
    labels = [place % 10 for place in range(count)]
    return {name: (random.integers(0, 256, (count, 3072), np.uint8), labels) for name in FILES}


def python2(data: np.ndarray, labels: list[int]) -> bytes:
    """What Python 2's cPickle made of a batch in protocol 2, opcode by opcode."""
    kind = b"cnumpy\ndtype\n" + _string(b"u1") + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + _string(b"|") + b"NNN" + _integer(-1) * 2 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
    array += _string(b"b") + b"\x87R(K\x01" + b"".join(map(_integer, data.shape)) + b"\x86"
    array += kind + b"\x89" + _string(data.tobytes()) + b"tb"
    entries = {
        b"data": array,
        b"labels": b"](" + b"".join(map(_integer, labels)) + b"e",
        b"batch_label": _string(b"training batch 1 of 5"),
        b"filenames": b"](" + _string(b"leptodactylus_pentadactylus_s_000004.png") + b"e",
    }
    items = b"".join(_string(name) + value for name, value in entries.items())
    return b"\x80\x02}(" + items + b"u."


def _string(text: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(text)) + text


def _integer(number: int) -> bytes:
    return b"J" + struct.pack("<i", number)


def write_folder(root: Path, count: int = 40) -> Path:
    """The unpacked folder, under ``root``."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for name, batch in batches(count).items():
        (folder / name).write_bytes(python2(*batch))
    return folder


def archive(members: dict[str, bytes] | None = None) -> bytes:
    """The archive with these members, or with small files."""
    if members is None:
        members = {f"{FOLDER}/{name}": python2(*batch) for name, batch in batches().items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
