"""From a profile and options to what will be run: tasks, arms, cells, seeds, launches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import inf

from backends.base import DEVICES, EXECUTIONS, PRECISIONS, threads_asked
from suite.profiles import PROFILES, Profile
from suite.store.schema import TWIN, Cell, Phase, Status
from suite.worker.adapters import REFERENCE
from suite.worker.discovery import Arm
from suite.worker.environment import CONTROLLED, ENVIRONMENTS, STOCK
from suite.worker.host import NO_LIMITS, Limits
from tasks.base import Task

PHASES: tuple[Phase, ...] = ("train", "infer")
TIMED_PRECISIONS = ("float32", "tf32", "bfloat16")
# In a time budget of one's own, where they fit: of the 13 s that a launch of transformer-tiny took
# with rounds for the usual seconds, 9 were not spent on them, and medians of launches scattered by
# 5 to 6 %, as rounds make them by themselves.
AMPLE_ROUNDS = 2.0


class UsageError(ValueError):
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


@dataclass(frozen=True, kw_only=True)
class Lane:
    """An arm with execution, precision and device: what one worker process is for. ``refused`` has
    the status and reason of one that cannot be run at all; ``twin`` is of an A/A arm, which is only
    timed.
    """

    arm: Arm
    execution: str
    precision: str
    device: str
    refused: tuple[Status, str] | None = None
    twin: bool = False


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will do. ``seed`` is that of parity and of what is timed; ``seeds`` are
    those of each task's trainings, by its name; ``closely`` also trains the first from a start
    moved by one ulp and exchanges checkpoints; ``rounds`` is the share of the usual seconds that a
    launch's rounds get; ``budget_seconds`` is how long an invocation may take.
    """

    profile: str
    tasks: tuple[Task, ...]
    lanes: tuple[Lane, ...]
    phases: tuple[Phase, ...] = PHASES
    batch_sizes: tuple[int, ...] = ()  # empty: each task's own
    both_batches: bool = False
    launches: int
    most_launches: int
    seed: int = 0
    seeds: Mapping[str, tuple[int, ...]]
    closely: bool = False
    rounds: float = 1.0
    budget_seconds: float | None = None
    label: str | None = None
    environment: str = CONTROLLED
    limits: Limits = NO_LIMITS

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
            for size in self._sizes(task)
            for phase in self.phases
        ]

    def _sizes(self, task: Task) -> tuple[int, ...]:
        recipe = (task.batch_size,) if self.both_batches else ()
        return self.batch_sizes or tuple(dict.fromkeys((*recipe, task.timed_batch_size)))

    def task(self, name: str) -> Task:
        """The task of this name."""
        return next(task for task in self.tasks if task.name == name)

    def own_lanes(self) -> list[Lane]:
        """Those that can be run, without the A/A arm."""
        return [lane for lane in self.lanes if lane.refused is None and not lane.twin]

    def training_lanes(self) -> list[Lane]:
        """One lane of each arm and precision, in the chosen execution that the adapter prefers:
        what is learnt does not depend on how a step is run, which parity checks.
        """
        preferred: dict[tuple[str, str], Lane] = {}
        for lane in sorted(
            self.own_lanes(), key=lambda lane: lane.arm.adapter.executions.index(lane.execution)
        ):
            preferred.setdefault((lane.arm.name, lane.precision), lane)
        return [lane for lane in self.own_lanes() if lane in preferred.values()]


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
        ("--batch-size", min(choice.batch_sizes, default=None), 1),
        ("--seeds", choice.seeds, 0),
        ("--seed", choice.seed, 0),
    ):
        if number is not None and number < least:
            raise UsageError(f"{option} (={number}) must be at least {least}")
    for option, amount in (
        ("--time-budget", choice.time_budget),
        ("--worker-timeout", choice.worker_timeout),
        ("--worker-memory", choice.worker_memory),
    ):
        if amount is not None and not 0 < amount < inf:
            raise UsageError(f"{option} (={amount:g}) must be more than 0 and finite")


def make(choice: Choice, tasks: dict[str, Task], arms: Sequence[Arm]) -> Plan:
    """The plan of a run; UsageError if the choice cannot be met."""
    check(choice, tasks)
    profile = PROFILES[choice.profile]
    asked = choose("precision", choice.precisions, PRECISIONS)
    if "float64" in asked:
        timed = ", ".join(TIMED_PRECISIONS)
        raise UsageError(f"float64 is for tribench parity; tribench run takes {timed}")
    held = {p for arm in arms if arm.name != REFERENCE for p in arm.adapter.precisions}
    precisions = asked or [p for p in profile.precisions if p in held] or [TIMED_PRECISIONS[0]]
    chosen = [
        lane
        for precision in precisions
        for lane in lanes(choice, arms, precision, profile.executions)
    ]
    picked = pick_tasks(choice.tasks, profile.tasks, tasks)
    minutes = choice.time_budget or profile.minutes
    phases = choose("phase", choice.phases or ("*",), PHASES)
    if "train" in phases:
        for task in picked:
            _check_batch(task, min((*choice.batch_sizes, task.timed_batch_size)))
    return Plan(
        profile=choice.profile,
        tasks=picked,
        lanes=(*chosen, *_twins(choice, profile, chosen)),
        phases=tuple(phase for phase in PHASES if phase in phases),
        batch_sizes=tuple(dict.fromkeys(choice.batch_sizes)),
        both_batches=profile.both_batches,
        launches=choice.launches or profile.launches,
        most_launches=choice.launches or profile.most_launches,
        seed=choice.seed,
        seeds={task.name: _seeds(choice, profile, task) for task in picked},
        closely=profile.closely,
        rounds=profile.rounds if choice.time_budget is None else AMPLE_ROUNDS,
        budget_seconds=None if minutes is None else 60 * minutes,
        label=choice.label,
        environment=choice.environment,
        limits=choice.limits,
    )


def _twins(choice: Choice, profile: Profile, chosen: Sequence[Lane]) -> list[Lane]:
    """The A/A arm: the first lane of the backend that was named, or of the first that can run,
    again; one per precision.
    """
    if choice.aa is None and not profile.twin:
        return []
    able = [lane for lane in chosen if lane.refused is None]
    names = dict.fromkeys(lane.arm.name for lane in able)
    if choice.aa is not None and choice.aa not in names:
        raise UsageError(f"--aa {choice.aa}: it must be a backend of this run: {', '.join(names)}")
    name = choice.aa or next(iter(names), None)
    first: dict[str, Lane] = {}
    for lane in able:
        if lane.arm.name == name:
            first.setdefault(lane.precision, lane)
    return [
        replace(lane, arm=replace(lane.arm, name=f"{name}{TWIN}"), twin=True)
        for lane in first.values()
    ]


def _seeds(choice: Choice, profile: Profile, task: Task) -> tuple[int, ...]:
    count = choice.seeds
    if count is None:
        count = next(n for name, n in profile.seeds if fnmatchcase(task.name, name))
    return tuple(range(choice.seed, choice.seed + count))


def pick_tasks(
    asked: Sequence[str], default: Sequence[str], tasks: dict[str, Task]
) -> tuple[Task, ...]:
    """The tasks that a pattern of ``asked`` matches; where nothing is asked for, those that match
    ``default`` and need no download.
    """
    if not asked:
        tasks = {
            n: task for n, task in tasks.items() if not getattr(task.data, "downloaded", False)
        }
    picked = tuple(tasks[name] for name in choose("task", asked or default, tasks))
    for task in picked:
        _check_batch(task, task.batch_size)  # parity takes a training step with it
    return picked


def _check_batch(task: Task, size: int) -> None:
    """UsageError where a layer cannot be trained in batches this small."""
    for place in task.model.places():
        least = place.layer.least_batch(place.input_shape)
        if size < least:
            raise UsageError(
                f"{task.name} cannot be trained in batches of {size}: {place.path} "
                f"({type(place.layer).__name__}) needs at least {least} samples"
            )


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
