"""How long a plan takes, and how to make one fit a time budget."""

from __future__ import annotations

from dataclasses import replace

from suite import cost
from suite.measure import ceiling
from suite.parity.gate import parity_lanes
from suite.plan import Plan, UsageError, comparisons
from suite.profiles import PROFILES
from tasks.base import Task

MANY_LAUNCHES = 12  # get more rounds each before there are more of them


def total(plan: Plan) -> float:
    """Seconds that the whole run may take; a guess."""
    cells = [cell for lane in plan.own_lanes() for cell in plan.cells(lane)]
    parity = sum(cost.parity(t, lane) for t in plan.tasks for lane in parity_lanes(plan.lanes))
    beside = sum(cost.memory(plan.task(c.task), c.phase, c.batch_size) for c in cells)
    beside += sum(_trainings(plan, t) * cost.training(t) for t in plan.tasks)
    trained = [task for task in plan.tasks if plan.seeds[task.name]]
    beside += len(trained) * cost.LINES_SECONDS
    if plan.closely:
        exchanged = [lane for lane in plan.training_lanes() if lane.precision == "float32"]
        beside += sum(cost.exchange(task, len(exchanged)) for task in trained)
    together = parity / (cost.parity_share() + 1) + beside / cost.AT_ONCE
    alone = ceiling.COST_SECONDS * len(plan.training_lanes())
    return together + alone + launch(plan) + (plan.launches - 1) * launch(plan, first=False)


def _trainings(plan: Plan, task: Task) -> int:
    """How many all lanes do of a task."""
    every = len(plan.training_lanes()) * len(plan.seeds[task.name])
    return every + (plan.closely and every > 0)


def launch(plan: Plan, first: bool = True) -> float:
    """Seconds of one launch of all comparisons, the first or a later one."""
    able = [lane for lane in plan.lanes if lane.refused is None]
    groups = comparisons(cell for lane in able for cell in plan.cells(lane))
    return sum(
        cost.timing(plan.task(g[0].task), g[0].phase, g[0].batch_size, len(g), plan.rounds, first)
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
            longest = max(several, key=cost.training).name
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
    arms = len([lane for lane in plan.lanes if lane.refused is None])
    trainings = sum(_trainings(plan, t) for t in plan.tasks)
    limit = "" if plan.budget_seconds is None else f", at most {plan.budget_seconds / 60:g}"
    more = "" if plan.most_launches == plan.launches else f" to {plan.most_launches}"
    return (
        f"{plan.profile}: {len(plan.tasks)} tasks, {arms} arms, {plan.launches}{more} launches, "
        f"{trainings} trainings; about {max(1, round(total(plan) / 60))} min{limit}"
    )
