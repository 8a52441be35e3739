"""What a time budget leaves of a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.plan import catalogue, estimate
from suite.plan.options import Choice, UsageError
from suite.plan.plan import make
from suite.plan.profiles import PROFILES
from suite.run.budget import MANY_LAUNCHES, announcement, fit, launch, total
from tests.fixtures.installations import ARMS, installation

TASKS = catalogue.tasks()
LEAST = PROFILES["quick"].rounds


def test_with_a_time_budget_of_ones_own_a_launch_has_all_its_rounds_if_they_fit():
    assert fit(make(Choice(), TASKS, ARMS)).rounds == LEAST
    whole = make(Choice(time_budget=60.0), TASKS, ARMS)
    for rounds in (2.0, 1.0, LEAST):
        time = total(replace(whole, rounds=rounds))
        plan = fit(replace(whole, budget_seconds=time))
        assert (plan.rounds, plan.launches) == (rounds, 3)


def test_of_many_launches_fewer_keep_all_their_rounds():
    many = make(Choice(launches=40, time_budget=60.0), TASKS, ARMS)
    for rounds, launches in ((2.0, 30), (2.0, MANY_LAUNCHES), (1.0, 15), (LEAST, 15)):
        time = total(replace(many, rounds=rounds, launches=launches))
        plan = fit(replace(many, budget_seconds=time))
        assert (plan.rounds, plan.launches) == (rounds, launches)


def test_a_time_budget_takes_seeds_and_then_launches():
    whole = make(Choice(profile="standard"), TASKS, ARMS)
    one_seed = {name: seeds[:1] for name, seeds in whole.seeds.items()}
    least = total(replace(whole, launches=1, seeds=one_seed))
    for share in (0.9, 0.5, 0.2):
        budget = least + share * (total(whole) - least)
        plan = fit(replace(whole, budget_seconds=budget))
        assert total(plan) <= budget
        fewer = any(len(plan.seeds[name]) < len(whole.seeds[name]) for name in plan.seeds)
        assert fewer or plan.launches < whole.launches
        assert plan.launches == whole.launches or max(map(len, plan.seeds.values())) == 1
    assert fit(replace(whole, budget_seconds=None)) == replace(whole, budget_seconds=None)
    with pytest.raises(UsageError, match="is too little: one launch and one training"):
        fit(replace(whole, budget_seconds=0.5 * least))


def test_standard_fits_its_own_time(monkeypatch):
    """On two cores, with every framework: what it promises to train and to launch is not cut."""
    monkeypatch.setattr(estimate, "threads", lambda: 2)
    plan = make(Choice(profile="standard"), TASKS, [*ARMS[:3], installation("tensorflow")])
    assert fit(plan) == plan


def test_only_the_first_launch_is_announced_as_compiling():
    plan = make(Choice(launches=3), TASKS, ARMS)
    assert launch(plan, first=False) < launch(plan)
    fewer = make(Choice(launches=1), TASKS, ARMS)
    more = total(plan) - total(fewer)
    assert more == pytest.approx(2 * launch(plan, first=False))


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(tasks=("rnn-tiny",), launches=1), "quick: 1 task, 2 arms, 1 launch, 2 trainings"),
        (Choice(tasks=("rnn-tiny", "cnn-tiny")), "quick: 2 tasks, 2 arms, 3 launches, 4 trainings"),
        (
            Choice(profile="real", tasks=("bert-base",)),
            "real: 1 task, 2 arms, 5 to 12 launches, 0 trainings",
        ),
    ],
)
def test_a_run_says_what_it_is_about_to_do(choice, words):
    assert announcement(make(choice, TASKS, ARMS)).partition(";")[0] == words
