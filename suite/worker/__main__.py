"""The worker's end: ``python -m suite.worker READ_FD WRITE_FD BYTES`` answers requests until the
coordinator is gone. BYTES limit its address space; 0 does not.

A request is {"do": operation, "call": number, ...arguments}; an answer {"call": number, "value":
...} or {"call": number, "error": kind, "message": text}; see ``errors`` for the kinds.
"""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

from suite.worker.channel import Channel, Closed, Message
from suite.worker.errors import described
from suite.worker.operations import OPERATIONS
from suite.worker.workshop import Workshop


def answer(workshop: Workshop, request: Message) -> Message:
    """Do what is asked; errors become answers, so that one of them does not end the worker."""
    operation, call = OPERATIONS[request.pop("do")], request.pop("call")
    try:
        return {"call": call, "value": operation(workshop, **request)}
    except BaseException as error:  # an adapter's SystemExit too
        with suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
        kind, message = described(error)
        return {"call": call, "error": kind, "message": message}


def limit_memory(size_bytes: int) -> None:
    """Let allocations beyond this much address space fail, in this process and its children."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def main(read_fd: int, write_fd: int, memory_bytes: int) -> None:
    """Serve until the pipe closes."""
    if memory_bytes:
        limit_memory(memory_bytes)
    channel = Channel(read_fd, write_fd)
    workshop = Workshop()
    try:
        while True:
            channel.send(answer(workshop, channel.receive()))
    except Closed:
        pass


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
