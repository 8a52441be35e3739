"""From options to a plan; what is wrong is said before anything starts."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from suite import catalogue, cost
from suite.budget import MANY_LAUNCHES, fit, launch, total
from suite.material import Material
from suite.parity.gate import tracks
from suite.plan import Choice, UsageError, arm_names, check, choose, comparisons, lanes, make
from suite.runner import stages
from suite.session import command
from suite.store.directory import RunDirectory
from suite.worker.adapters import Adapter
from suite.worker.discovery import Arm

TASKS = catalogue.tasks()


def arm(name, why=None, executions=("eager", "compiled"), precisions=("float64", "float32")):
    adapter = Adapter(
        name=name,
        target="m:C",
        why=why,
        framework=name,
        executions=() if why else executions,
        precisions=() if why else precisions,
    )
    return Arm(name=name, interpreter=None if why else "python", adapter=adapter)


ARMS = [
    arm("numpy", executions=("eager",)),
    arm("torch"),
    arm("jax", executions=("compiled",)),
    arm("tensorflow", why="ModuleNotFoundError: No module named 'tensorflow'"),
]


def test_quick_is_the_tiny_tasks_in_each_backends_default_execution():
    plan = make(Choice(), TASKS, ARMS)
    assert [task.name for task in plan.tasks] == ["cnn-tiny", "rnn-tiny", "transformer-tiny"]
    assert [(lane.arm.name, lane.execution) for lane in plan.lanes] == [
        ("torch", "eager"),
        ("jax", "compiled"),
        ("tensorflow", "default"),
    ]
    assert plan.launches >= 2


def test_what_is_not_installed_is_planned_and_refused():
    plan = make(Choice(), TASKS, ARMS)
    refused = {lane.arm.name: lane.refused for lane in plan.lanes if lane.refused}
    assert refused == {
        "tensorflow": ("not_available", "ModuleNotFoundError: No module named 'tensorflow'")
    }


def test_what_an_adapter_lacks_is_refused_by_name():
    chosen = lanes(Choice(executions=("eager",)), ARMS, "float32")
    assert [lane.refused and lane.refused[0] for lane in chosen] == [
        None,
        "not_supported",
        "not_available",
    ]
    (torch,) = lanes(Choice(backends=("torch",)), ARMS, "bfloat16")
    assert torch.refused == (
        "not_supported",
        "torch has no precision bfloat16 here, only float64, float32",
    )


def test_every_gives_all_executions():
    chosen = lanes(Choice(backends=("torch",)), ARMS, "float32", every=True)
    assert [lane.execution for lane in chosen] == ["eager", "compiled"]


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(profile="quik"), "no profile 'quik'; there are quick"),
        (Choice(tasks=("cnn-huge",)), "no task matches 'cnn-huge'; there are cnn-tiny"),
        (Choice(backends=("mxnet",)), "no backend matches 'mxnet'; there are torch, jax"),
        (Choice(backends=("numpy",)), "no backend matches 'numpy'"),
        (Choice(executions=("fast",)), "no execution matches 'fast'; there are eager, compiled"),
        (Choice(precisions=("int8",)), "no precision matches 'int8'; there are float64"),
        (Choice(precisions=("float64",)), "float64 is for tribench parity"),
        (Choice(device="tpu"), "no device 'tpu'; there are cpu, cuda"),
        (Choice(batch_sizes=(0,)), r"--batch-size \(=0\) must be at least 1"),
        (Choice(launches=0), r"--launches \(=0\)"),
        (Choice(seeds=-1), r"--seeds \(=-1\)"),
        (Choice(seed=-1), r"--seed \(=-1\)"),
    ],
)
def test_a_wrong_choice_is_named_with_what_is_allowed(choice, words):
    with pytest.raises(UsageError, match=words):
        make(choice, TASKS, ARMS)


def test_most_is_checked_before_any_interpreter_is_asked():
    for choice in (Choice(profile="x"), Choice(tasks=("x",)), Choice(batch_sizes=(0,))):
        with pytest.raises(UsageError):
            check(choice, TASKS)


def test_patterns_and_order():
    assert choose("task", ("rnn-t*", "cnn*y"), TASKS) == ["cnn-tiny", "rnn-tiny"]


def test_a_backends_name_stands_for_its_second_interpreter_too():
    arms = [*ARMS, arm("torch@old")]
    both = lanes(Choice(backends=("torch",)), arms, "float32")
    assert [lane.arm.name for lane in both] == ["torch", "torch@old"]
    (old,) = lanes(Choice(backends=("torch@old",)), arms, "float32")
    assert old.arm.name == "torch@old"


def test_cells_that_differ_in_backend_and_execution_only_are_compared():
    choice = Choice(executions=("*",), batch_sizes=(8, 64), tasks=("cnn-tiny",))
    plan = make(choice, TASKS, ARMS)
    cells = [cell for lane in plan.lanes if not lane.refused for cell in plan.cells(lane)]
    groups = comparisons(cells)
    assert [len(group) for group in groups] == [3, 3, 3, 3]
    assert {cell.batch_size for cell in cells} == {8, 64}
    assert set(arm_names(groups[0]).values()) == {"torch eager", "torch compiled", "jax"}


def test_the_command_repeats_the_run_and_holds_no_path():
    choice = Choice(tasks=("cnn*",), batch_sizes=(8,), launches=3, label="mine")
    line = command(choice, {"torch@old": "/home/someone/env/bin/python3"})
    assert line == (
        "tribench run --profile quick --device cpu --task 'cnn*' --batch-size 8 --launches 3 "
        "--python torch@old=python3"
    )


def test_phases_are_chosen_and_trainings_can_be_left_out():
    plan = make(Choice(phases=("tr*",), seeds=0, seed=3, tasks=("cnn-tiny",)), TASKS, ARMS)
    assert {cell.phase for lane in plan.lanes for cell in plan.cells(lane)} == {"train"}
    assert plan.seeds == {"cnn-tiny": ()}
    assert plan.seed == 3


def test_standard_has_every_size_and_execution_and_an_aa_arm():
    plan = make(Choice(profile="standard"), TASKS, ARMS)
    assert [task.name for task in plan.tasks] == [
        *("cnn-tiny", "cnn-small", "rnn-tiny", "rnn-small", "gru-small"),
        *("transformer-tiny", "transformer-small"),
    ]
    able = [(lane.arm.name, lane.execution) for lane in plan.lanes if lane.refused is None]
    assert able == [
        ("torch", "eager"),
        ("torch", "compiled"),
        ("jax", "compiled"),
        ("torch@aa", "eager"),
    ]
    assert [lane.arm.name for lane in plan.own_lanes()] == ["torch", "torch", "jax"]
    assert [lane.arm.name for lane in plan.training_lanes()] == ["torch", "jax"]
    assert plan.launches >= 5
    assert {name: len(seeds) for name, seeds in plan.seeds.items()} == {
        task.name: 5 if task.name.endswith("tiny") else 2 for task in plan.tasks
    }
    sizes = {cell.batch_size for cell in plan.cells(plan.lanes[0]) if cell.task == "cnn-tiny"}
    assert sizes == {16, 128}


def test_an_aa_arm_is_of_a_backend_of_the_run():
    plan = make(Choice(aa="jax", backends=("jax", "torch")), TASKS, ARMS)
    assert [lane.arm.name for lane in plan.lanes if lane.twin] == ["jax@aa"]
    with pytest.raises(UsageError, match="--aa tensorflow: it must be a backend of this run: jax"):
        make(Choice(aa="tensorflow", backends=("jax",)), TASKS, ARMS)


def test_with_a_time_budget_of_ones_own_a_launch_has_all_its_rounds_if_they_fit():
    assert fit(make(Choice(), TASKS, ARMS)).rounds == 0.25
    whole = make(Choice(time_budget=60.0), TASKS, ARMS)
    for rounds in (2.0, 1.0, 0.25):
        time = total(replace(whole, rounds=rounds))
        plan = fit(replace(whole, budget_seconds=time))
        assert (plan.rounds, plan.launches) == (rounds, 3)


def test_of_many_launches_fewer_keep_all_their_rounds():
    many = make(Choice(launches=40, time_budget=60.0), TASKS, ARMS)
    for rounds, launches in ((2.0, 30), (2.0, MANY_LAUNCHES), (1.0, 15), (0.25, 15)):
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
    monkeypatch.setattr(cost, "threads", lambda: 2)
    plan = make(Choice(profile="standard"), TASKS, [*ARMS[:3], arm("tensorflow")])
    assert fit(plan) == plan


def test_the_time_that_is_announced_is_that_of_the_units(tmp_path):
    plan = make(Choice(profile="standard", launches=2), TASKS, ARMS)
    (tmp_path / "records.jsonl").touch()
    with RunDirectory(tmp_path) as store:
        found = stages(plan, [SimpleNamespace(lane=None)], tmp_path, store)
    seconds = sum(
        unit.cost_seconds / stage.at_once
        for stage in found
        for track in stage.tracks
        for unit in track.units
    )
    assert seconds == pytest.approx(total(plan), abs=1)


@pytest.mark.parametrize(("cores", "gibibytes", "parts"), [(2, 64, 1), (16, 128, 8), (16, 16, 1)])
def test_parity_is_divided_where_there_are_many_cores_and_room(
    cores, gibibytes, parts, monkeypatch
):
    memory = SimpleNamespace(total=gibibytes << 30)
    monkeypatch.setattr(cost, "threads", lambda: cores)
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: memory)
    assert cost.parity_parts() == parts


@pytest.mark.parametrize("parts", [1, 3, 8])
def test_every_part_of_parity_has_its_own_tasks_the_largest_first(parts, tmp_path):
    asked = [Material(TASKS[name], seed, tmp_path) for name in TASKS for seed in range(2)]
    chosen = lanes(Choice(), ARMS[:3], "float32", every=True)
    found = tracks(chosen, asked, [SimpleNamespace()] * parts, tmp_path)
    names = [unit.name for track in found for unit in track.units]
    assert len(names) == len(set(names)) == len(chosen) * len(asked)
    where = {name: track for track in found for name in map(_task_and_program, track.units)}
    assert len(where) == len(chosen) * len(TASKS)  # both seeds of a task in one track
    largest = max(TASKS.values(), key=lambda task: task.model.flops() * task.batch_size)
    first = [unit.name.split("/")[1] for track in found[: len(chosen)] for unit in track.units]
    assert parts == 1 or largest.name in first
    assert parts == 1 or len({track.suffix for track in found}) == 2 * parts


def _task_and_program(unit):
    _, task, _, arm, execution = unit.name.split("/")
    return task, arm, execution


def test_only_the_first_launch_is_announced_as_compiling():
    plan = make(Choice(launches=3), TASKS, ARMS)
    assert launch(plan, first=False) < launch(plan)
    fewer = make(Choice(launches=1), TASKS, ARMS)
    more = total(plan) - total(fewer)
    assert more == pytest.approx(2 * launch(plan, first=False))
