"""Writing files so that a full disk costs the run its end and nothing that was written."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from suite.errors import FAILED, CommandError

GB = 10**9
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class WriteError(CommandError):
    """What could not be written, and why. The run ends, and what it has stays whole."""

    exit_code = FAILED


class NoRoom(CommandError):
    """A folder has less free than what is about to be written."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever the system refuses inside is a WriteError about ``path``."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror or error}") from error


def temporary() -> Path:
    """The folder of temporary files; WriteError if there is none."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        raise WriteError("no temporary folder can be written: set TMPDIR to one") from None


def check_room(needed: int, what: str) -> None:
    """NoRoom unless the folder of temporary files has this many bytes free for ``what``."""
    folder = temporary()
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoom(
            f"{what} may take {needed / GB:.1f} GB of temporary files, and {folder} has "
            f"{free / GB:.1f} GB free: set TMPDIR to a folder with more"
        )


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what is needed for a while."""
    with writing(temporary()):
        folder = Path(tempfile.mkdtemp(prefix="tribench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write beside, then rename: a reader sees the old file or the new one. Text is UTF-8."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        try:
            if path.exists() and not path.is_file():  # as root, a device would be replaced
                raise OSError("it is no regular file")
            part.write_bytes(content.encode() if isinstance(content, str) else content)
            part.replace(path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise


def append_whole(file: int, path: Path, content: bytes) -> None:
    """Add to the end of an open file all of the content or none of it."""
    length = os.fstat(file).st_size
    with writing(path):
        try:
            while content:
                content = content[os.write(file, content) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, length)
            raise


def keep_logs(logs: Path) -> None:
    """Copy what workers printed to where it stays, and say where."""
    with writing(temporary()):
        kept = Path(tempfile.mkdtemp(prefix="tribench-logs-"))
        shutil.copytree(logs, kept, dirs_exist_ok=True)
    print(f"tribench: a worker failed; what it printed is kept in {kept}", file=sys.stderr)
