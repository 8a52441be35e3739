"""One measurement at a time: two runs on one machine would spoil each other's times."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from suite.files import temporary, writing
from suite.store.directory import StoreError, refused


class Lock:
    """The lock file of this machine and user. The kernel frees it when the process ends, however
    it does; what stands in it tells who holds it. StoreError, which says who, if another does.
    """

    def __init__(self) -> None:
        self.path = temporary() / f"tribench-{os.getuid()}.lock"
        with refused(f"{self.path} cannot be opened"):
            self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.fsdecode(os.pread(self.file, 4096, 0)).strip()
            os.close(self.file)
            raise StoreError(
                f"another tribench run measures on this machine ({holder or 'just begun'}), and "
                "two at a time would spoil each other; wait for its end"
            ) from None
        except OSError as error:  # as some network file systems do
            os.close(self.file)
            raise StoreError(
                f"{self.path} cannot be locked: {error.strerror}; set TMPDIR to a folder of a file "
                "system that has locks"
            ) from None
        self.tell("no run directory yet")

    def tell(self, where: object) -> None:
        """Say where this run's directory is."""
        with writing(self.path):
            os.ftruncate(self.file, 0)
            os.pwrite(self.file, os.fsencode(f"process {os.getpid()}, {where}"), 0)

    def close(self) -> None:
        """Let others measure, and leave no name to be taken for the next one's."""
        with suppress(OSError):
            os.ftruncate(self.file, 0)
        os.close(self.file)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
