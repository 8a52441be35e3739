"""The coordinator's end: start a worker, call it, end it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from backends.base import NotSupported
from suite.worker.channel import Channel, Closed, Silent
from suite.worker.environment import environment

CALL_LIMIT_SECONDS = 600.0
STOP_LIMIT_SECONDS = 5.0


class WorkerError(Exception):
    """An operation raised in the worker, which is still there."""


class WorkerLost(Exception):
    """The worker died or was ended because it did not answer."""


class Worker:
    """A fresh process of one interpreter. What it prints goes to the log.

    It gets a process group of its own: Ctrl-C reaches the coordinator alone, which then ends it.
    """

    def __init__(self, interpreter: str, log: Path, device: str = "cpu", share: int = 1) -> None:
        theirs_read, ours_write = os.pipe()
        ours_read, theirs_write = os.pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [interpreter, "-m", "suite.worker", str(theirs_read), str(theirs_write)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(device, share),
                pass_fds=(theirs_read, theirs_write),
                start_new_session=True,
            )
        os.close(theirs_read)
        os.close(theirs_write)
        self.channel = Channel(ours_read, ours_write)
        self.log = log

    def call(self, do: str, *, limit_seconds: float = CALL_LIMIT_SECONDS, **arguments: Any) -> Any:
        """Ask for an operation and wait for its value. Raises NotSupported, WorkerError (the worker
        goes on) or WorkerLost (it is gone).
        """
        try:
            self.channel.send({"do": do, **arguments})
            answer = self.channel.receive(limit_seconds)
        except Closed:
            raise WorkerLost(f"the worker {self._end()} during {do}; see {self.log.name}") from None
        except Silent:
            self.kill()
            why = f"the worker gave no answer to {do} within {limit_seconds:g} s and was ended"
            raise WorkerLost(f"{why}; see {self.log.name}") from None
        if answer.get("error") == "NotSupported":
            raise NotSupported(answer["message"])
        if "error" in answer:
            raise WorkerError(f"{answer['error']}: {answer['message']}; see {self.log.name}")
        return answer["value"]

    def kill(self) -> None:
        """End the worker and whatever it started, now."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Let the worker end by itself; if it does not, end it."""
        self.channel.close()
        try:
            self.process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.close()
        else:
            self.kill()
            self.channel.close()

    def _end(self) -> str:
        """How the process ended, in words."""
        try:
            code = self.process.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return "closed its pipe"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"
