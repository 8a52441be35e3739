"""The files of an archive, read where it lies and never unpacked."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

Wanted = Callable[[str], bool]


def tar_files(
    archive: Path, wanted: Wanted, error: type[ValueError]
) -> Iterator[tuple[str, bytes]]:
    """The paths and contents of the wanted files of a .tar.gz, in one pass, because going back in a
    compressed file means to begin again. Raises ``error``.
    """
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = member.name.removeprefix("./")
                file = members.extractfile(member) if member.isfile() and wanted(name) else None
                if file is not None:
                    yield name, file.read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as caught:
        raise error(_told(archive, caught)) from caught


def zip_file(archive: Path, name: str, error: type[ValueError]) -> bytes:
    """What a file of a .zip holds. Raises ``error``."""
    try:
        with zipfile.ZipFile(archive) as members:
            return members.read(name)
    except KeyError:
        raise error(f"{archive} has no file {name}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as caught:
        raise error(_told(archive, caught)) from caught


def _told(archive: Path, caught: Exception) -> str:
    return f"{archive} is not a whole archive: {caught}; get it again"
