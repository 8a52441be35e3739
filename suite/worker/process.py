"""The coordinator's end: start a worker, call it, end it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.base import NotSupported
from suite.files import WriteError, writing
from suite.worker.channel import Channel, Closed, Garbled, Message, Silent
from suite.worker.environment import CONTROLLED, environment
from suite.worker.frameworks import of_memory
from suite.worker.oom import kills
from suite.worker.private import without_private

STOP_LIMIT_SECONDS = 5.0
MOST_READ = 1 << 20  # bytes of a log


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a worker may take: seconds for one answer, bytes of address space (None: no limit)."""

    answer_seconds: float = 600.0
    memory_bytes: int | None = None


NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How workers are started. They get all cores, or one of ``share`` parts of them. ``cached``
    ones may use what others have compiled; ``compiled`` is a folder where they keep what they
    compile, and find it; ``preallocated`` ones take their part of a GPU's memory when they start.
    """

    limits: Limits = NO_LIMITS
    environment: str = CONTROLLED
    share: int = 1
    cached: bool = False
    compiled: Path | None = None
    preallocated: bool = False


USUAL = WorkerSettings()


class WorkerError(Exception):
    """An operation raised in the worker, which is still there."""


class WorkerLost(Exception):
    """The worker died, or was ended because it gave no answer or none that can be read."""


def _unable(error: OSError) -> WorkerLost:
    return WorkerLost(f"the worker cannot be started: {error.strerror or error}")


class Worker:
    """A fresh process of one interpreter. What it prints goes to the log.

    It gets a process group of its own: Ctrl-C reaches the coordinator alone, which then ends it.
    """

    def __init__(
        self,
        interpreter: str,
        log: Path,
        device: str = "cpu",
        settings: WorkerSettings = USUAL,
        cache: Mapping[str, str] | None = None,
    ) -> None:
        limits, kind = settings.limits, settings.environment
        with writing(log):
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
        try:
            theirs_read, ours_write = os.pipe()
        except OSError as error:
            output.close()
            raise _unable(error) from None
        try:
            ours_read, theirs_write = os.pipe()
        except OSError as error:
            output.close()
            os.close(theirs_read)
            os.close(ours_write)
            raise _unable(error) from None
        arguments = [theirs_read, theirs_write, limits.memory_bytes or 0]
        self.channel = Channel(ours_read, ours_write)
        self.log, self.limits, self.calls, self.kills = log, limits, 0, kills()
        try:
            self.process = subprocess.Popen(
                [interpreter, "-m", "suite.worker", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(device, settings.share, cache, kind, settings.preallocated),
                pass_fds=(theirs_read, theirs_write),
                start_new_session=True,
            )
        except OSError as error:
            self.channel.close()
            raise _unable(error) from None
        finally:
            output.close()
            os.close(theirs_read)
            os.close(theirs_write)

    def call(self, do: str, *, limit_seconds: float | None = None, **arguments: Any) -> Any:
        """Ask for an operation and wait for its value. Raises NotSupported, WorkerError (the worker
        goes on), WorkerLost (it is gone), or WriteError where it found the disk full.
        """
        answer = self._ask(do, arguments, limit_seconds or self.limits.answer_seconds)
        kind = answer.get("error")
        text = without_private(str(answer.get("message"))) if kind is not None else ""
        if kind == "NotSupported":
            raise NotSupported(text)
        if kind == "WriteError":
            raise WriteError(f"the worker cannot write during {do}: {text}")
        if kind is not None:
            raise WorkerError(f"{kind}: {text}; see {self.log.name}")
        return answer["value"]

    def _ask(self, do: str, arguments: Message, limit_seconds: float) -> Message:
        """The answer to this very request; the worker is ended if there is none."""
        self.calls += 1
        printed = self.log.stat().st_size
        try:
            self.channel.send({"do": do, "call": self.calls, **arguments})
            answer = self.channel.receive(limit_seconds)
            if answer.get("call") != self.calls or not answer.keys() & {"value", "error"}:
                raise Garbled("JSON that answers nothing")
        except Closed:
            why = f"the worker {self._end()} during {do}"
            if self._ran_out_of_memory(printed):
                why = f"out of memory: {why}"
        except Silent:
            why = f"the worker gave no answer to {do} within {limit_seconds:g} s and was ended"
        except Garbled as found:
            why = f"the worker sent {found} as its answer to {do} and was ended"
        else:
            return answer
        self.kill()
        raise WorkerLost(f"{why}; see {self.log.name}")

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

    def _ran_out_of_memory(self, printed: int) -> bool:
        """Does the log say so after its first ``printed`` bytes, or the system, which kills without
        a word? TensorFlow's kernels do not survive every allocation that fails: of five batches too
        large for 4 GiB it met two with a SIGSEGV and one with a SIGABRT.
        """
        if self.process.poll() == -signal.SIGKILL and kills() > self.kills:
            return True
        with self.log.open("rb") as log:
            log.seek(printed)
            return of_memory(log.read(MOST_READ).decode(errors="replace"))
