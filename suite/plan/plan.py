"""From a profile and options to what will be run: tasks, installations, cells, seeds, launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from backends.base import PRECISIONS
from suite.plan.configurations import Configuration, configurations
from suite.plan.options import PHASES, Choice, UsageError, check, choose
from suite.plan.profiles import PROFILES, Profile
from suite.records.schema import TWIN, Cell, Phase
from suite.worker.adapters import REFERENCE
from suite.worker.environment import CONTROLLED
from suite.worker.installations import Installation
from suite.worker.process import NO_LIMITS, Limits
from tasks.base import Task

TIMED_PRECISIONS = ("float32", "tf32", "bfloat16")
# In a time budget of one's own, where they fit: of the 13 s that a launch of transformer-tiny took
# with rounds for the usual seconds, 9 were not spent on them, and medians of launches scattered by
# 5 to 6 %, as rounds make them by themselves.
AMPLE_ROUNDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will do. ``seed`` is that of parity and of what is timed; ``seeds`` are
    those of each task's trainings, by its name; ``one_ulp`` also trains the first from a start
    moved by one ulp and exchanges checkpoints; ``rounds`` is the share of the usual seconds that a
    launch's rounds get; ``budget_seconds`` is how long an invocation may take.
    """

    profile: str
    tasks: tuple[Task, ...]
    configurations: tuple[Configuration, ...]
    phases: tuple[Phase, ...] = PHASES
    batch_sizes: tuple[int, ...] = ()  # empty: each task's own
    both_batches: bool = False
    launches: int
    most_launches: int
    seed: int = 0
    seeds: Mapping[str, tuple[int, ...]]
    one_ulp: bool = False
    rounds: float = 1.0
    budget_seconds: float | None = None
    label: str | None = None
    environment: str = CONTROLLED
    limits: Limits = NO_LIMITS

    def cells(self, configuration: Configuration) -> list[Cell]:
        """What is measured in one configuration."""
        return [
            Cell(
                task=task.name,
                phase=phase,
                backend=configuration.backend,
                execution=configuration.execution,
                precision=configuration.precision,
                device=configuration.device,
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

    def own_configurations(self) -> list[Configuration]:
        """Those that can be run, without the A/A arm."""
        return [
            configuration
            for configuration in self.configurations
            if configuration.refused is None and not configuration.twin
        ]

    def training_configurations(self) -> list[Configuration]:
        """One configuration of each installation and precision, in the chosen execution that the
        adapter prefers: what is learnt does not depend on how a step is run, which parity checks.
        """
        preferred: dict[tuple[str, str], Configuration] = {}
        for configuration in sorted(
            self.own_configurations(),
            key=lambda configuration: configuration.adapter.executions.index(
                configuration.execution
            ),
        ):
            preferred.setdefault((configuration.backend, configuration.precision), configuration)
        return [
            configuration
            for configuration in self.own_configurations()
            if configuration in preferred.values()
        ]


def make(choice: Choice, tasks: dict[str, Task], installations: Sequence[Installation]) -> Plan:
    """The plan of a run; UsageError if the choice cannot be met."""
    check(choice, tasks)
    profile = PROFILES[choice.profile]
    asked = choose("precision", choice.precisions, PRECISIONS)
    if "float64" in asked:
        timed = ", ".join(TIMED_PRECISIONS)
        raise UsageError(f"float64 is for tribench parity; tribench run takes {timed}")
    held = {
        p
        for installation in installations
        if installation.name != REFERENCE
        for p in installation.adapter.precisions
    }
    precisions = asked or [p for p in profile.precisions if p in held] or [TIMED_PRECISIONS[0]]
    chosen = [
        configuration
        for precision in precisions
        for configuration in configurations(choice, installations, precision, profile.executions)
    ]
    picked = pick_tasks(choice.tasks, profile.tasks, tasks)
    minutes = choice.time_budget or profile.minutes
    phases = choose("phase", choice.phases or ("*",), PHASES)
    if "train" in phases:
        for task in picked:
            _check_batch(task, min(choice.batch_sizes or (task.timed_batch_size,)))
    return Plan(
        profile=choice.profile,
        tasks=picked,
        configurations=(*chosen, *_twins(choice, profile, chosen)),
        phases=tuple(phase for phase in PHASES if phase in phases),
        batch_sizes=tuple(dict.fromkeys(choice.batch_sizes)),
        both_batches=profile.both_batches,
        launches=choice.launches or profile.launches,
        most_launches=choice.launches or profile.most_launches,
        seed=choice.seed,
        seeds={task.name: _seeds(choice, profile, task) for task in picked},
        one_ulp=profile.one_ulp,
        rounds=profile.rounds if choice.time_budget is None else AMPLE_ROUNDS,
        budget_seconds=None if minutes is None else 60 * minutes,
        label=choice.label,
        environment=choice.environment,
        limits=choice.limits,
    )


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


def _twins(
    choice: Choice, profile: Profile, chosen: Sequence[Configuration]
) -> list[Configuration]:
    """The A/A arm: the first configuration of the backend that was named, or of the first that can
    run, again; one per precision.
    """
    if choice.aa is None and not profile.twin:
        return []
    able = [configuration for configuration in chosen if configuration.refused is None]
    names = dict.fromkeys(configuration.backend for configuration in able)
    if choice.aa is not None and choice.aa not in names:
        raise UsageError(f"--aa {choice.aa}: it must be a backend of this run: {', '.join(names)}")
    name = choice.aa or next(iter(names), None)
    first: dict[str, Configuration] = {}
    for configuration in able:
        if configuration.backend == name:
            first.setdefault(configuration.precision, configuration)
    return [
        replace(
            configuration,
            installation=replace(configuration.installation, name=f"{name}{TWIN}"),
            twin=True,
        )
        for configuration in first.values()
    ]
