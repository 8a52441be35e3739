"""What runs now, what is done, how long it may take: a bar on a terminal, plain lines elsewhere.
Both go to standard error.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

PRIOR_SECONDS = 60.0  # how long the guessed costs are trusted before the pace seen takes over


class Reporter:
    """Says nothing: ``--quiet``, and what the others build on. Costs are in seconds, as guessed
    beforehand; the time left is the rest of them at the pace seen so far.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.total = self.done = 0.0
        self.running: list[str] = []
        self.guard = threading.Lock()

    def expect(self, cost_seconds: float) -> None:
        """Add work to come."""
        with self.guard:
            self.total += cost_seconds

    def start(self, what: str) -> None:
        """Something begins."""
        with self.guard:
            self.running.append(what)
            self.show(what)

    def finish(self, what: str, cost_seconds: float) -> None:
        """Something has ended."""
        with self.guard:
            self.running.remove(what)
            self.done += cost_seconds
            self.advance()

    def seconds_left(self) -> float | None:
        """A guess; None before anything is known."""
        if self.done == 0:
            return None
        elapsed = time.monotonic() - self.began
        pace = (elapsed + PRIOR_SECONDS) / (self.done + PRIOR_SECONDS)
        return pace * max(0.0, self.total - self.done)

    def show(self, what: str) -> None:
        """Tell that this begins; called with the guard held."""

    def advance(self) -> None:
        """Tell that something ended; called with the guard held."""

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class Lines(Reporter):
    """A line for everything that begins."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    def show(self, what: str) -> None:
        left = self.seconds_left()
        ahead = "" if left is None else f", about {clock(left)} left"
        with suppress(OSError):  # nobody may be there to read it
            print(f"[{clock(time.monotonic() - self.began)}{ahead}] {what}", file=self.stream)
            self.stream.flush()


class Bar(Reporter):
    """A bar with what runs now."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.bar = Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self.task: TaskID = self.bar.add_task("starting", total=None, left="")

    def show(self, what: str) -> None:
        self.advance()

    def advance(self) -> None:
        left = self.seconds_left()
        self.bar.update(
            self.task,
            total=self.total,
            completed=self.done,
            description="; ".join(self.running),
            left="" if left is None else f"about {clock(left)} left",
        )

    def __enter__(self) -> Reporter:
        self.bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def reporter(quiet: bool) -> Reporter:
    """The one that fits where standard error goes."""
    if quiet:
        return Reporter()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines(sys.stderr)


def clock(seconds: float) -> str:
    """``75`` is ``1:15``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
