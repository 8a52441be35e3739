"""The worker's end: ``python -m suite.worker READ_FD WRITE_FD`` answers requests until told to stop
or until the coordinator is gone.

A request is {"do": operation, ...arguments}; an answer {"value": ...} or {"error": kind, "message":
text}. Kinds are NotSupported, and the exception's name for everything else.
"""

from __future__ import annotations

import sys
import traceback

from backends.base import NotSupported
from suite.worker.channel import Channel, Closed, Message
from suite.worker.operations import OPERATIONS, Workshop


def answer(workshop: Workshop, request: Message) -> Message:
    """Do what is asked; errors become answers, so that one of them does not end the worker."""
    operation = OPERATIONS[request.pop("do")]
    try:
        return {"value": operation(workshop, **request)}
    except NotSupported as error:
        return {"error": "NotSupported", "message": str(error)}
    except Exception as error:
        traceback.print_exc()
        first_line = (str(error).strip() or "no message").splitlines()[0]
        return {"error": type(error).__name__, "message": first_line}


def main(read_fd: int, write_fd: int) -> None:
    """Serve until the pipe closes."""
    channel = Channel(read_fd, write_fd)
    workshop = Workshop()
    try:
        while True:
            channel.send(answer(workshop, channel.receive()))
    except Closed:
        pass


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
