"""How long a plan takes, and how to make one fit a time budget."""

from __future__ import annotations

from dataclasses import replace

from suite.analysis.comparisons import comparisons
from suite.measure import ceilings
from suite.parity.gate import parity_configurations
from suite.plan import estimate
from suite.plan.options import UsageError
from suite.plan.plan import Plan
from suite.plan.profiles import PROFILES
from tasks.base import Task

MANY_LAUNCHES = 12  # get more rounds each before there are more of them


def total(plan: Plan) -> float:
    """Seconds that the whole run may take; a guess."""
    cells = [
        cell for configuration in plan.own_configurations() for cell in plan.cells(configuration)
    ]
    parity = sum(
        estimate.parity(t, configuration)
        for t in plan.tasks
        for configuration in parity_configurations(plan.configurations)
    )
    beside = sum(estimate.memory(plan.task(c.task), c.phase, c.batch_size) for c in cells)
    beside += sum(_trainings(plan, t) * estimate.training(t) for t in plan.tasks)
    trained = [task for task in plan.tasks if plan.seeds[task.name]]
    beside += len(trained) * estimate.BASELINES_SECONDS
    if plan.one_ulp:
        exchanged = [
            configuration
            for configuration in plan.training_configurations()
            if configuration.precision == "float32"
        ]
        beside += sum(estimate.exchange(task, len(exchanged)) for task in trained)
    together = parity / (estimate.parity_share() + 1) + beside / estimate.AT_ONCE
    alone = ceilings.COST_SECONDS * len(plan.training_configurations())
    return together + alone + launch(plan) + (plan.launches - 1) * launch(plan, first=False)


def _trainings(plan: Plan, task: Task) -> int:
    """How many all configurations do of a task."""
    every = len(plan.training_configurations()) * len(plan.seeds[task.name])
    return every + (plan.one_ulp and every > 0)


def launch(plan: Plan, first: bool = True) -> float:
    """Seconds of one launch of all comparisons, the first or a later one."""
    able = [configuration for configuration in plan.configurations if configuration.refused is None]
    groups = comparisons(cell for configuration in able for cell in plan.cells(configuration))
    return sum(
        estimate.timing(
            plan.task(g[0].task), g[0].phase, g[0].batch_size, len(g), plan.rounds, first
        )
        for g in groups
    )


def fit(plan: Plan) -> Plan:
    """The plan as its budget allows it: of many launches fewer, then rounds for the usual seconds,
    then its profile's, fewer seeds (of the task that takes longest to train, before others), and
    fewer launches; UsageError if even one of each is too much.
    """
    budget = plan.budget_seconds
    if budget is None:
        return plan
    own = PROFILES[plan.profile].rounds
    for rounds in sorted({plan.rounds, min(1.0, plan.rounds), own}, reverse=True):
        for launches in range(plan.launches, min(plan.launches, MANY_LAUNCHES) - 1, -1):
            fewer = replace(plan, rounds=rounds, launches=launches)
            if total(fewer) <= budget:
                return fewer
    plan = replace(plan, rounds=own)
    while total(plan) > budget:
        several = [task for task in plan.tasks if len(plan.seeds[task.name]) > 1]
        if several:
            longest = max(several, key=estimate.training).name
            plan = replace(plan, seeds={**plan.seeds, longest: plan.seeds[longest][:-1]})
        elif plan.launches > 1:
            plan = replace(plan, launches=plan.launches - 1)
        else:
            raise UsageError(
                f"--time-budget (={budget / 60:g}) is too little: one launch and one training of "
                f"what was chosen take about {total(plan) / 60:.1f} minutes here"
            )
    return plan


def announcement(plan: Plan) -> str:
    """What a run is about to do and how long it may take, in a sentence."""
    arms = len(
        [configuration for configuration in plan.configurations if configuration.refused is None]
    )
    trainings = sum(_trainings(plan, t) for t in plan.tasks)
    limit = "" if plan.budget_seconds is None else f", at most {plan.budget_seconds / 60:g}"
    more = "" if plan.most_launches == plan.launches else f" to {plan.most_launches}"
    return (
        f"{plan.profile}: {len(plan.tasks)} tasks, {arms} arms, {plan.launches}{more} launches, "
        f"{trainings} trainings; about {max(1, round(total(plan) / 60))} min{limit}"
    )
