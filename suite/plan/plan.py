"""From a profile and options to what will be run: tasks, installations, cells, seeds, launches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from backends.base import TIMED
from suite.plan import catalogue
from suite.plan.configurations import Configuration, configurations
from suite.plan.options import PHASES, Choice, UsageError, check, choose
from suite.plan.profiles import PROFILES, Profile
from suite.records.schema import Cell, Phase
from suite.worker.frameworks import REFERENCE
from suite.worker.installations import Installation
from tasks.base import Task
from tasks.spec import CTC

# In a time budget of one's own, where they fit: of the 13 s that a launch of transformer-tiny took
# with rounds for the usual seconds, 9 were not spent on them, and medians of launches scattered by
# 5 to 6 %, as rounds make them by themselves.
AMPLE_ROUNDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that a run will do. ``installations`` are all that were found. The seed of its
    ``choice`` is that of parity and of what is timed; ``seeds`` are those of each task's trainings,
    by its name. ``rounds`` is the share of the usual seconds that a launch's rounds get;
    ``budget_seconds`` is how long an invocation may take.
    """

    choice: Choice
    tasks: tuple[Task, ...]
    installations: tuple[Installation, ...]
    configurations: tuple[Configuration, ...]
    phases: tuple[Phase, ...]
    launches: int
    most_launches: int
    seeds: Mapping[str, tuple[int, ...]]
    rounds: float
    budget_seconds: float | None

    @property
    def profile(self) -> Profile:
        """What the run does beside what was chosen."""
        return PROFILES[self.choice.profile]

    @property
    def cells(self) -> dict[Cell, Configuration]:
        """What is measured, and in which configuration."""
        return {
            configuration.cell(task.name, phase, size): configuration
            for configuration in self.configurations
            for task in self.tasks
            for size in self._sizes(task)
            for phase in self.phases
        }

    def _sizes(self, task: Task) -> tuple[int, ...]:
        """Of the batches that are timed; where none is chosen, the task's own."""
        recipe = (task.batch_size,) if self.profile.both_batches else ()
        sizes = self.choice.batch_sizes or (*recipe, task.timed_batch_size)
        return tuple(dict.fromkeys(sizes))

    def task(self, name: str) -> Task:
        """The task of this name."""
        return next(task for task in self.tasks if task.name == name)

    def own_configurations(self) -> list[Configuration]:
        """Those that can be run, without the A/A arm."""
        return [each for each in self.configurations if each.refused is None and not each.twin]

    def training_configurations(self) -> list[Configuration]:
        """One configuration of each installation and precision, in the chosen execution that the
        adapter prefers: what is learnt does not depend on how a step is run, which parity checks.
        """
        own = self.own_configurations()
        preferred: dict[tuple[str, str], Configuration] = {}
        for each in sorted(own, key=lambda each: each.adapter.executions.index(each.execution)):
            preferred.setdefault((each.backend, each.precision), each)
        return [each for each in own if each in preferred.values()]


def make(choice: Choice, tasks: dict[str, Task], installations: Sequence[Installation]) -> Plan:
    """The plan of a run; UsageError if the choice cannot be met."""
    check(choice, tasks)
    profile = PROFILES[choice.profile]
    asked = choose("timed precision", choice.precisions, TIMED)
    held = {p for each in installations if each.name != REFERENCE for p in each.adapter.precisions}
    precisions = asked or [p for p in profile.precisions if p in held] or ["float32"]
    chosen = configurations(choice, installations, *precisions, executions=profile.executions)
    left_out = catalogue.own() - {*profile.own} if profile.own else frozenset[str]()
    offered = {name: task for name, task in tasks.items() if choice.tasks or name not in left_out}
    picked = pick_tasks(choice.tasks, profile.tasks, offered, profile.real_size)
    if choice.epochs is not None:
        picked = tuple(task.lasting(choice.epochs) for task in picked)
    share = len(picked) if profile.real_size else 1
    minutes = choice.time_budget or (profile.minutes and profile.minutes * share)
    phases = choose("phase", choice.phases or ("*",), PHASES)
    if "train" in phases:
        for task in picked:
            _check_batch(task, min(choice.batch_sizes or (task.timed_batch_size,)))
    return Plan(
        choice=choice,
        tasks=picked,
        installations=tuple(installations),
        configurations=(*chosen, *_twins(choice, profile, chosen)),
        phases=tuple(phase for phase in PHASES if phase in phases),
        launches=choice.launches or profile.launches,
        most_launches=choice.launches or profile.most_launches,
        seeds={task.name: _seeds(choice, profile, task) for task in picked},
        rounds=profile.rounds if choice.time_budget is None else AMPLE_ROUNDS,
        budget_seconds=None if minutes is None else 60 * minutes,
    )


def _seeds(choice: Choice, profile: Profile, task: Task) -> tuple[int, ...]:
    count = choice.seeds
    if count is None:
        count = next(n for name, n in profile.seeds if fnmatchcase(task.name, name))
    return tuple(range(choice.seed, choice.seed + count))


def pick_tasks(
    asked: Sequence[str], default: Sequence[str], tasks: dict[str, Task], real_size: bool = False
) -> tuple[Task, ...]:
    """The tasks that a pattern of ``asked`` matches; where nothing is asked for, those that match
    ``default``, need no download or request, and are of ``real_size`` or are not.
    """
    if not asked:
        tasks = {
            name: task
            for name, task in tasks.items()
            if task.real_size == real_size
            and not task.on_request
            and not getattr(task.data, "downloaded", False)
        }
    picked = tuple(tasks[name] for name in choose("task", asked or default, tasks))
    for task in picked:
        _check_batch(task, task.batch_size)  # parity takes a training step with it
        if isinstance(task.loss, CTC) != (task.score == "error_rate"):
            raise UsageError(
                f"{task.name} cannot be run: the score error_rate is that of the loss CTC, and of "
                f"no other (score={task.score}, loss={type(task.loss).__name__})"
            )
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
    able = [each for each in chosen if each.refused is None]
    names = dict.fromkeys(each.backend for each in able)
    if choice.aa is not None and choice.aa not in names:
        raise UsageError(f"--aa {choice.aa}: it must be a backend of this run: {', '.join(names)}")
    name = choice.aa or next(iter(names), None)
    first: dict[str, Configuration] = {}
    for each in able:
        if each.backend == name:
            first.setdefault(each.precision, each)
    return [each.doubled() for each in first.values()]
