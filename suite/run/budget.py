"""How long a plan takes, and how to make one fit a time budget."""

from __future__ import annotations

from dataclasses import replace

from suite.analysis import words
from suite.analysis.comparisons import comparisons
from suite.measure import ceilings
from suite.parity.gate import parity_configurations
from suite.plan import estimate
from suite.plan.options import UsageError
from suite.plan.plan import Plan
from tasks.base import Task

MANY_LAUNCHES = 12  # get more rounds each before there are more of them


def total(plan: Plan) -> float:
    """Seconds that the whole run may take; a guess."""
    training_in = plan.training_configurations()
    parity = sum(
        estimate.parity(task, each)
        for task in plan.tasks
        for each in parity_configurations(plan.configurations)
    )
    beside = sum(
        estimate.memory(plan.task(cell.task), cell)
        for cell, each in plan.cells.items()
        if each.refused is None and not each.twin
    )
    beside += sum(_trainings(plan, task) * estimate.training(task) for task in plan.tasks)
    trained = [task for task in plan.tasks if plan.seeds[task.name]]
    beside += len(trained) * estimate.BASELINES_SECONDS
    if plan.profile.one_ulp:
        exchanged = sum(each.precision == "float32" for each in training_in)
        beside += sum(estimate.exchange(task, exchanged) for task in trained)
    together = parity / estimate.parity_at_once(plan.tasks) + beside / estimate.AT_ONCE
    alone = ceilings.COST_SECONDS * len(training_in)
    return together + alone + launch(plan) + (plan.launches - 1) * launch(plan, first=False)


def _trainings(plan: Plan, task: Task) -> int:
    """How many all configurations do of a task."""
    every = len(plan.training_configurations()) * len(plan.seeds[task.name])
    return every + (plan.profile.one_ulp and every > 0)


def launch(plan: Plan, first: bool = True) -> float:
    """Seconds of one launch of all comparisons, the first or a later one."""
    groups = comparisons(cell for cell, each in plan.cells.items() if each.refused is None)
    return sum(
        estimate.timing(plan.task(cells[0].task), cells, plan.rounds, first) for cells in groups
    )


def fit(plan: Plan) -> Plan:
    """The plan as its budget allows it: of many launches fewer, then rounds for the usual seconds,
    then its profile's, fewer seeds (of the task that takes longest to train, before others), and
    fewer launches; UsageError if even one of each is too much.
    """
    budget, own = plan.budget_seconds, plan.profile.rounds
    if budget is None:
        return plan
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
    arms = sum(each.refused is None for each in plan.configurations)
    trainings = sum(_trainings(plan, task) for task in plan.tasks)
    limit = "" if plan.budget_seconds is None else f", at most {plan.budget_seconds / 60:g}"
    more = "" if plan.most_launches == plan.launches else f" to {plan.most_launches}"
    amounts = (
        words.count(len(plan.tasks), "task", "tasks"),
        words.count(arms, "arm", "arms"),
        f"{plan.launches}{more} launch{'es' if plan.most_launches > 1 else ''}",
        words.count(trainings, "training", "trainings"),
    )
    minutes = max(1, round(total(plan) / 60))
    return f"{plan.choice.profile}: {', '.join(amounts)}; about {minutes} min{limit}"
