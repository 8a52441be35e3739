"""JSON lines over a pair of pipes. Standard output stays free for what frameworks print."""

from __future__ import annotations

import json
import os
import selectors
import time
from typing import Any

Message = dict[str, Any]

CHUNK_BYTES = 1 << 16
MOST_BYTES = 16 << 20  # of one message; the longest, the losses of an epoch, has some 100 kB


class Closed(Exception):
    """The other end is gone."""


class Silent(Exception):
    """Nothing came within the limit."""


class Garbled(Exception):
    """What came is no message; the text says why. The channel is of no use any more."""


class Channel:
    """One end. Owns its two file descriptors. NaN and infinities travel as Python writes them."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd = read_fd, write_fd
        self.waiting = b""

    def send(self, message: Message) -> None:
        """Write one message; Closed if nobody can read it any more."""
        line = json.dumps(message).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self.write_fd, line) :]
        except BrokenPipeError:
            raise Closed from None

    def receive(self, limit_seconds: float | None = None) -> Message:
        """The next message; sleeps in the kernel until it comes. Closed, Silent or Garbled if none
        does.
        """
        end = None if limit_seconds is None else time.monotonic() + limit_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.read_fd, selectors.EVENT_READ)
            while b"\n" not in self.waiting:
                if len(self.waiting) > MOST_BYTES:
                    raise Garbled(f"a line of more than {MOST_BYTES >> 20} MiB")
                left = None if end is None else max(0.0, end - time.monotonic())
                if not selector.select(left):
                    raise Silent
                data = os.read(self.read_fd, CHUNK_BYTES)
                if not data:
                    raise Closed
                self.waiting += data
        line, _, self.waiting = self.waiting.partition(b"\n")
        return _message(line)

    def close(self) -> None:
        """Give both descriptors back; the other end sees Closed."""
        os.close(self.read_fd)
        os.close(self.write_fd)


def _message(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except UnicodeDecodeError:
        raise Garbled("bytes that are not UTF-8") from None
    except (ValueError, RecursionError):
        raise Garbled("a line that is not JSON") from None
    if not isinstance(message, dict):
        raise Garbled("JSON that is not an object")
    return message
