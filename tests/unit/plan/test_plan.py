"""From options to a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from suite.plan import catalogue
from suite.plan.options import Choice, UsageError
from suite.plan.plan import make
from suite.plan.profiles import PROFILES
from tasks.spec import CTC
from tests.fixtures.installations import ARMS

TASKS = catalogue.tasks()


def test_quick_is_the_tiny_tasks_in_each_backends_default_execution():
    plan = make(Choice(), TASKS, ARMS)
    assert [task.name for task in plan.tasks] == [
        *("cnn-tiny", "rnn-tiny", "transformer-tiny", "gpt-tiny")
    ]
    assert [
        (configuration.backend, configuration.execution) for configuration in plan.configurations
    ] == [
        ("torch", "eager"),
        ("jax", "compiled"),
        ("tensorflow", "default"),
    ]
    assert plan.launches >= 2


def test_quick_has_its_own_tasks_alone_and_the_tiny_ones_of_other_packages(monkeypatch):
    more = {name: replace(TASKS["rnn-tiny"], name=name) for name in ("new-tiny", "odd-tiny")}
    ours = frozenset({*TASKS, "new-tiny"})
    monkeypatch.setattr("suite.plan.catalogue.own", lambda: ours)
    known = TASKS | more
    names = [task.name for task in make(Choice(), known, ARMS).tasks]
    assert names == ["cnn-tiny", "rnn-tiny", "transformer-tiny", "gpt-tiny", "odd-tiny"]
    asked = make(Choice(tasks=("new-*",)), known, ARMS).tasks
    assert [task.name for task in asked] == ["new-tiny"]
    for name in ("standard", "full"):
        found = {task.name for task in make(Choice(profile=name), known, ARMS).tasks}
        assert {"new-tiny", "odd-tiny"} & found == {"odd-tiny", *["new-tiny"] * (name == "full")}


def test_a_task_of_real_size_runs_only_where_it_is_asked_for():
    large = replace(TASKS["rnn-tiny"], name="large", real_size=True)
    known = TASKS | {"large": large}
    full = make(Choice(profile="full"), known, ARMS).tasks
    assert "large" not in {task.name for task in full}
    assert "gpt-small" in {task.name for task in full}
    assert [task.name for task in make(Choice(tasks=("large",)), known, ARMS).tasks] == ["large"]


def test_the_twin_of_a_model_of_real_size_runs_only_where_it_is_named():
    twins = {f"{task.name}-twin" for task in TASKS.values() if task.real_size}
    assert len(twins & TASKS.keys()) == len(twins) == 9
    for name in PROFILES:
        assert not twins & {task.name for task in make(Choice(profile=name), TASKS, ARMS).tasks}
    named = make(Choice(tasks=("gpt2-twin",), profile="full"), TASKS, ARMS)
    assert [task.name for task in named.tasks] == ["gpt2-twin"]


def test_the_profile_real_has_the_models_of_real_size_alone_and_trains_none_to_the_end():
    plan = make(Choice(profile="real"), TASKS, ARMS)
    assert {task.name for task in plan.tasks} == {t.name for t in TASKS.values() if t.real_size}
    assert len(plan.tasks) == 9
    assert not any(plan.seeds.values())
    assert plan.budget_seconds == 9 * 3600
    one = make(Choice(profile="real", tasks=("bert-base",)), TASKS, ARMS)
    assert (len(one.tasks), one.budget_seconds) == (1, 3600)


def test_what_is_not_installed_is_planned_and_refused():
    plan = make(Choice(), TASKS, ARMS)
    refused = {
        configuration.backend: configuration.refused
        for configuration in plan.configurations
        if configuration.refused
    }
    assert refused == {
        "tensorflow": ("not_available", "ModuleNotFoundError: No module named 'tensorflow'")
    }


def test_phases_are_chosen_and_trainings_can_be_left_out():
    plan = make(Choice(phases=("tr*",), seeds=0, seed=3, tasks=("cnn-tiny",)), TASKS, ARMS)
    assert {cell.phase for cell in plan.cells} == {"train"}
    assert plan.seeds == {"cnn-tiny": ()}
    assert plan.choice.seed == 3


def test_standard_has_every_size_and_execution_and_an_aa_arm():
    plan = make(Choice(profile="standard"), TASKS, ARMS)
    assert [task.name for task in plan.tasks] == [
        *("cnn-tiny", "cnn-small", "rnn-tiny", "rnn-small", "gru-small"),
        *("transformer-tiny", "transformer-small", "gpt-small", "translation-small"),
    ]
    able = [
        (configuration.backend, configuration.execution)
        for configuration in plan.configurations
        if configuration.refused is None
    ]
    assert able == [
        ("torch", "eager"),
        ("torch", "compiled"),
        ("jax", "compiled"),
        ("torch@aa", "eager"),
    ]
    assert [configuration.backend for configuration in plan.own_configurations()] == [
        "torch",
        "torch",
        "jax",
    ]
    assert [configuration.backend for configuration in plan.training_configurations()] == [
        "torch",
        "jax",
    ]
    assert plan.launches >= 5
    assert {name: len(seeds) for name, seeds in plan.seeds.items()} == {
        task.name: 5 if task.name.endswith("tiny") else 2 for task in plan.tasks
    }
    sizes = {cell.batch_size for cell in plan.cells if cell.task == "cnn-tiny"}
    assert sizes == {16, 128}


def test_an_aa_arm_is_of_a_backend_of_the_run():
    plan = make(Choice(aa="jax", backends=("jax", "torch")), TASKS, ARMS)
    assert [
        configuration.backend for configuration in plan.configurations if configuration.twin
    ] == ["jax@aa"]
    with pytest.raises(UsageError, match="--aa tensorflow: it must be a backend of this run: jax"):
        make(Choice(aa="tensorflow", backends=("jax",)), TASKS, ARMS)


def test_a_longer_recipe_falls_at_the_same_shares_of_the_way():
    (task,) = make(Choice(tasks=("gpt-small",), epochs=12), TASKS, ARMS).tasks
    assert (task.epochs, task.optimizer.milestones) == (12, (1350,))
    assert task.optimizer.warmup_steps == TASKS["gpt-small"].optimizer.warmup_steps
    (same,) = make(Choice(tasks=("gpt-small",), epochs=4), TASKS, ARMS).tasks
    assert same == TASKS["gpt-small"]


def test_a_recipe_of_few_epochs_has_its_milestones_one_after_the_other():
    task = TASKS["gpt-tiny"]
    rate = replace(task.optimizer, milestones=(3, 4), warmup_steps=2)
    short = replace(task, optimizer=rate).lasting(1)
    assert short.optimizer.milestones == (1, 2)
    decaying = replace(rate, milestones=(), schedule="cosine", decay_steps=10)
    assert replace(task, optimizer=decaying).lasting(1).optimizer.decay_steps == 3
    assert replace(task, optimizer=decaying).lasting(20).optimizer.decay_steps == 20


@pytest.mark.parametrize("changes", [{"loss": CTC()}, {"score": "error_rate"}])
def test_the_score_error_rate_and_the_loss_ctc_go_together(changes):
    task = replace(TASKS["rnn-tiny"], name="spoken", **changes)
    with pytest.raises(UsageError, match="spoken cannot be run: the score error_rate is that of"):
        make(Choice(tasks=("spoken",)), TASKS | {"spoken": task}, ARMS)
    both = replace(task, loss=CTC(), score="error_rate")
    assert make(Choice(tasks=("spoken",)), TASKS | {"spoken": both}, ARMS).tasks == (both,)
