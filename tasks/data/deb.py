"""Files of a Debian package, an ar archive (deb(5)) with a tar.xz in it. Nothing is unpacked, links
are not followed, and what is read is in memory.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Iterator

MAGIC, HEADER = b"!<arch>\n", 60
NAME, SIZE, END = slice(0, 16), slice(48, 58), slice(58, 60)
DATA = "data.tar.xz"


class DebError(ValueError):
    """Bytes that are no Debian package; the message says what is wrong."""


def files(package: bytes, ending: str) -> dict[str, bytes]:
    """The regular files whose names end so, by their path in the package."""
    for name, member in _members(package):
        if name == DATA:
            return _of_tar(member, ending)
    raise DebError(f"there is no {DATA} in it")


def _of_tar(packed: bytes, ending: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:xz") as members:
            for member in members:
                file = members.extractfile(member) if member.isreg() else None
                if file is not None and member.name.endswith(ending):
                    found[member.name.removeprefix("./")] = file.read()
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise DebError(f"its {DATA} is damaged: {error}") from error
    return found


def _members(package: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each; they begin at even places."""
    if not package.startswith(MAGIC):
        raise DebError("it does not begin as an ar archive does")
    at = len(MAGIC)
    while at < len(package):
        header = package[at : at + HEADER]
        told = header[SIZE].strip()
        at += HEADER
        if header[END] != b"`\n" or not told.isdigit() or at + int(told) > len(package):
            raise DebError("it is cut off, or no ar archive")
        name = header[NAME].decode("ascii", "replace").strip().removesuffix("/")
        yield name, package[at : at + int(told)]
        at += int(told) + int(told) % 2
