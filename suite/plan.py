"""From a profile and options to what will be run: tasks, arms, cells, seeds, launches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from backends.base import DEVICES, EXECUTIONS, PRECISIONS
from suite.store.schema import Cell, Phase, Status
from suite.worker.discovery import Arm
from tasks.base import Task

REFERENCE = "numpy"
PHASES: tuple[Phase, ...] = ("train", "infer")
TIMED_PRECISIONS = ("float32", "tf32", "bfloat16")


class UsageError(ValueError):
    """What was asked for cannot be; the message says what can."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """How much a run does. ``executions`` empty: each backend's default."""

    tasks: tuple[str, ...]
    executions: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ("float32",)
    launches: int
    seeds: int


PROFILES = {"quick": Profile(tasks=("*-tiny",), launches=3, seeds=1)}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What the user picked, as typed; empty means the profile's or all."""

    profile: str = "quick"
    tasks: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    executions: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    device: str = "cpu"
    batch_sizes: tuple[int, ...] = ()
    seed: int = 0
    launches: int | None = None
    seeds: int | None = None
    label: str | None = None


@dataclass(frozen=True, kw_only=True)
class Lane:
    """An arm with execution, precision and device: what one worker process is for. ``refused`` has
    the status and reason of one that cannot be run at all.
    """

    arm: Arm
    execution: str
    precision: str
    device: str
    refused: tuple[Status, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will do."""

    profile: str
    tasks: tuple[Task, ...]
    lanes: tuple[Lane, ...]
    batch_sizes: tuple[int, ...]  # empty: each task's own
    launches: int
    seeds: tuple[int, ...]
    label: str | None = None

    def cells(self, lane: Lane) -> list[Cell]:
        """What is measured in one lane."""
        return [
            Cell(
                task=task.name,
                phase=phase,
                backend=lane.arm.name,
                execution=lane.execution,
                precision=lane.precision,
                device=lane.device,
                batch_size=size,
            )
            for task in self.tasks
            for size in (self.batch_sizes or (task.timed_batch_size,))
            for phase in PHASES
        ]

    def task(self, name: str) -> Task:
        """The task of this name."""
        return next(task for task in self.tasks if task.name == name)


def choose(what: str, patterns: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names that any pattern (shell wildcards) matches, in the order of ``names``; ``torch``
    matches ``torch@old`` too. UsageError for a pattern that matches nothing.
    """
    known = list(names)

    def matches(name: str, pattern: str) -> bool:
        return any(fnmatchcase(form, pattern) for form in (name, name.partition("@")[0]))

    for pattern in patterns:
        if not any(matches(name, pattern) for name in known):
            raise UsageError(f"no {what} matches {pattern!r}; there are {', '.join(known)}")
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
    positive = {"--launches": choice.launches, "--seeds": choice.seeds}
    positive |= {"--batch-size": min(choice.batch_sizes, default=None)}
    for option, number in positive.items():
        if number is not None and number < 1:
            raise UsageError(f"{option} (={number}) must be at least 1")
    if choice.seed < 0:
        raise UsageError(f"--seed (={choice.seed}) must be at least 0")


def make(choice: Choice, tasks: dict[str, Task], arms: Sequence[Arm]) -> Plan:
    """The plan of a run; UsageError if the choice cannot be met."""
    check(choice, tasks)
    profile = PROFILES[choice.profile]
    precisions = choose("precision", choice.precisions, PRECISIONS) or [*profile.precisions]
    if "float64" in precisions:
        timed = ", ".join(TIMED_PRECISIONS)
        raise UsageError(f"float64 is for tribench parity; tribench run takes {timed}")
    seeds = choice.seeds or profile.seeds
    return Plan(
        profile=choice.profile,
        tasks=pick_tasks(choice.tasks or profile.tasks, tasks),
        lanes=tuple(
            lane
            for precision in precisions
            for lane in lanes(choice, arms, precision, profile.executions)
        ),
        batch_sizes=tuple(dict.fromkeys(choice.batch_sizes)),
        launches=choice.launches or profile.launches,
        seeds=tuple(range(choice.seed, choice.seed + seeds)),
        label=choice.label,
    )


def pick_tasks(patterns: Sequence[str], tasks: dict[str, Task]) -> tuple[Task, ...]:
    """The tasks that a pattern matches."""
    return tuple(tasks[name] for name in choose("task", patterns, tasks))


def lanes(
    choice: Choice,
    arms: Sequence[Arm],
    precision: str,
    executions: Sequence[str] = (),
    every: bool = False,
) -> list[Lane]:
    """The chosen arms in the chosen executions; those that cannot be are among them, refused. Where
    none is chosen: each arm's default, or with ``every`` all that it has.
    """
    named = {arm.name: arm for arm in arms if arm.name != REFERENCE}
    wanted = choose("execution", choice.executions, EXECUTIONS) or list(executions)
    found = []
    for name in choose("backend", choice.backends or ("*",), named):
        arm = named[name]
        has = arm.adapter.executions
        for execution in wanted or (has if every else has[:1]) or ("default",):
            found.append(
                Lane(
                    arm=arm,
                    execution=execution,
                    precision=precision,
                    device=choice.device,
                    refused=_refusal(arm, execution, precision),
                )
            )
    return found


def _refusal(arm: Arm, execution: str, precision: str) -> tuple[Status, str] | None:
    if arm.why is not None:
        return "not_available", arm.why
    adapter = arm.adapter
    if execution not in adapter.executions:
        only = ", ".join(adapter.executions)
        return "not_supported", f"{arm.name} has no {execution} execution, only {only}"
    if precision not in adapter.precisions:
        only = ", ".join(adapter.precisions)
        return "not_supported", f"{arm.name} has no precision {precision} here, only {only}"
    return None


def comparisons(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Cells grouped by what is ranked against each other, in order."""
    groups: dict[tuple[str, str, str, str, int], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.comparison, []).append(cell)
    return list(groups.values())


def arm_names(cells: Sequence[Cell]) -> dict[tuple[str, str], str]:
    """What to call the arms of a comparison: the backend, with its execution if it has several."""
    backends = [cell.backend for cell in cells]
    return {
        cell.arm: cell.backend
        if backends.count(cell.backend) == 1
        else f"{cell.backend} {cell.execution}"
        for cell in cells
    }
