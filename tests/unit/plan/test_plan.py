"""From options to a plan."""

from __future__ import annotations

import pytest

from suite.plan import catalogue
from suite.plan.options import Choice, UsageError
from suite.plan.plan import make
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
        *("transformer-tiny", "transformer-small", "gpt-tiny", "gpt-small"),
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
