"""What the user picked, as typed, and what is wrong with it whatever installations there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import inf

from backends.base import DEVICES, EXECUTIONS, PRECISIONS, threads_asked
from suite.errors import CommandError
from suite.plan.profiles import PROFILES
from suite.records.schema import Phase
from suite.worker.environment import CONTROLLED, ENVIRONMENTS, STOCK
from suite.worker.process import NO_LIMITS, Limits
from tasks.base import Task

PHASES: tuple[Phase, ...] = ("train", "infer")


class UsageError(CommandError):
    """What was asked for cannot be; the message says what can."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user picked, as typed; empty means the profile's or all."""

    profile: str = "quick"
    tasks: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    device: str = "cpu"
    batch_sizes: tuple[int, ...] = ()
    seed: int = 0
    launches: int | None = None
    seeds: int | None = None
    epochs: int | None = None
    time_budget: float | None = None  # minutes
    aa: str | None = None  # the backend that gets a twin
    label: str | None = None
    environment: str = CONTROLLED
    worker_timeout: float = NO_LIMITS.answer_seconds
    worker_memory: float | None = None  # GiB

    @property
    def limits(self) -> Limits:
        """What a worker may take."""
        gibibytes = self.worker_memory
        size_bytes = None if gibibytes is None else int(gibibytes * 2**30)
        return Limits(answer_seconds=self.worker_timeout, memory_bytes=size_bytes)


MOST = 2**31 - 1  # of whole numbers: what a framework's index holds
MOST_NAMES, NEAREST = 40, 5  # of which all are named; that are named of more


def choose(what: str, patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names that any pattern (shell wildcards) matches, in the order of ``names``; ``torch``
    matches ``torch@old`` too. UsageError for a pattern that matches nothing.
    """
    known = list(names)

    def matches(name: str, pattern: str) -> bool:
        return any(fnmatchcase(form, pattern) for form in (name, name.partition("@")[0]))

    for pattern in patterns:
        if not any(matches(name, pattern) for name in known):
            there = f"there are {', '.join(known)}"
            if len(known) > MOST_NAMES:
                near = get_close_matches(pattern, known, NEAREST, cutoff=0) or known[:NEAREST]
                there = f"of {len(known)} the nearest are {', '.join(near)}"
            raise UsageError(f"no {what} matches {pattern!r}; {there}")
    return [name for name in known if any(matches(name, pattern) for pattern in patterns)]


def check(choice: Choice, tasks: dict[str, Task]) -> None:
    """Raise UsageError for what is wrong with a choice whatever backends there are."""
    if choice.profile not in PROFILES:
        raise UsageError(f"no profile {choice.profile!r}; there are {', '.join(PROFILES)}")
    if choice.device not in DEVICES:
        raise UsageError(f"no device {choice.device!r}; there are {', '.join(DEVICES)}")
    choose("task", choice.tasks, tasks)
    choose("precision", choice.precisions, PRECISIONS)
    choose("execution", choice.executions, EXECUTIONS)
    choose("phase", choice.phases, PHASES)
    if choice.environment not in ENVIRONMENTS:
        known = ", ".join(ENVIRONMENTS)
        raise UsageError(f"no environment {choice.environment!r}; there are {known}")
    if choice.environment == STOCK:  # where what is set reaches the workers
        try:
            threads_asked()
        except ValueError as error:
            raise UsageError(str(error)) from None
    for option, number, least in (
        ("--launches", choice.launches, 1),
        *(("--batch-size", size, 1) for size in choice.batch_sizes),
        ("--seeds", choice.seeds, 0),
        ("--epochs", choice.epochs, 1),
        ("--seed", choice.seed, 0),
    ):
        if number is not None and number < least:
            raise UsageError(f"{option} (={number}) must be at least {least}")
        if number is not None and number > MOST:
            raise UsageError(f"{option} (={number}) must be at most {MOST}")
    for option, amount in (
        ("--time-budget", choice.time_budget),
        ("--worker-timeout", choice.worker_timeout),
        ("--worker-memory", choice.worker_memory),
    ):
        if amount is not None and not 0 < amount < inf:
            raise UsageError(f"{option} (={amount:g}) must be more than 0 and finite")
