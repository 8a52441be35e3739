"""Into how many parts parity is divided, and how long a launch may take."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.plan import catalogue, estimate
from suite.records.schema import Cell


@pytest.mark.parametrize(("cores", "gibibytes", "parts"), [(2, 64, 1), (16, 128, 8), (16, 16, 1)])
def test_parity_is_divided_where_there_are_many_cores_and_room(
    cores, gibibytes, parts, monkeypatch
):
    memory = SimpleNamespace(total=gibibytes << 30)
    monkeypatch.setattr(estimate, "threads", lambda: cores)
    monkeypatch.setattr(estimate.psutil, "virtual_memory", lambda: memory)
    assert estimate.parity_parts([]) == parts
    assert estimate.parity_at_once([]) == max(2, parts) + 1


def test_programs_of_real_size_are_asked_one_after_the_other(monkeypatch):
    monkeypatch.setattr(estimate, "threads", lambda: 64)
    tasks = catalogue.tasks()
    both = [tasks["cnn-tiny"], tasks["bert-base"]]
    assert estimate.parity_parts(both) == 1
    assert estimate.parity_share(both) == 1
    assert estimate.parity_at_once(both) == 1


def test_the_files_of_parity_follow_the_parameters():
    tasks = catalogue.tasks()
    bert, small = tasks["bert-base"], tasks["cnn-tiny"]
    assert estimate.parity_files([]) == 0
    assert estimate.parity_files([small]) < 1e8 < 22e9 < estimate.parity_files([bert]) < 30e9
    assert estimate.parity_files([bert, small]) > estimate.parity_files([bert])


@pytest.mark.parametrize(("name", "looks"), [("resnet50", True), ("resnet50-twin", False)])
def test_looks_take_long_in_the_first_launch_of_a_task_of_real_size(name, looks, monkeypatch):
    monkeypatch.setattr(estimate, "threads", lambda: 2)
    task = catalogue.tasks()[name]
    cell = Cell(
        task=name,
        phase="train",
        backend="torch",
        execution="eager",
        precision="float32",
        device="cpu",
        batch_size=8,
    )
    first, later = (estimate.timing(task, [cell], first=each) for each in (True, False))
    more = first - later - (1 - estimate.COMPILED) * estimate.compiling(task)
    wanted = estimate.LOOK_STEPS * estimate.step(task, "train", 8, 2) if looks else 0
    assert more == pytest.approx(wanted)
