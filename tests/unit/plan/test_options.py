"""What is wrong with options is said before anything starts."""

from __future__ import annotations

import pytest

from backends.base import threads_asked
from suite.plan import catalogue
from suite.plan.options import Choice, UsageError, check, choose
from suite.plan.plan import make
from tests.fixtures.installations import ARMS

TASKS = catalogue.tasks()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(profile="quik"), "no profile 'quik'; there are quick"),
        (Choice(tasks=("cnn-huge",)), "no task matches 'cnn-huge'; there are cnn-tiny"),
        (Choice(backends=("mxnet",)), "no backend matches 'mxnet'; there are torch, jax"),
        (Choice(backends=("numpy",)), "no backend matches 'numpy', which is the reference"),
        (Choice(executions=("fast",)), "no execution matches 'fast'; there are eager, compiled"),
        (Choice(precisions=("int8",)), "no precision matches 'int8'; there are float64"),
        (
            Choice(precisions=("float64",)),
            "no timed precision matches 'float64'; there are float32",
        ),
        (Choice(device="tpu"), "no device 'tpu'; there are cpu, cuda"),
        (Choice(batch_sizes=(0,)), r"--batch-size \(=0\) must be at least 1"),
        (Choice(launches=0), r"--launches \(=0\)"),
        (Choice(seeds=-1), r"--seeds \(=-1\)"),
        (Choice(seed=-1), r"--seed \(=-1\)"),
        (Choice(epochs=0), r"--epochs \(=0\) must be at least 1"),
    ],
)
def test_a_wrong_choice_is_named_with_what_is_allowed(choice, words):
    with pytest.raises(UsageError, match=words):
        make(choice, TASKS, ARMS)


def test_of_many_names_the_nearest_are_told_and_how_many_there_are():
    names = ["norm", "conv-7", *(f"case-{number}" for number in range(60))]
    with pytest.raises(UsageError, match="no case matches 'nrom'; of 62 the nearest are norm, "):
        choose("case", ("nrom",), names)


def test_a_pattern_of_precisions_picks_those_that_are_timed():
    found = make(Choice(precisions=("float*",)), TASKS, ARMS).configurations
    assert {each.precision for each in found} == {"float32"}


def test_most_is_checked_before_any_interpreter_is_asked():
    for choice in (Choice(profile="x"), Choice(tasks=("x",)), Choice(batch_sizes=(0,))):
        with pytest.raises(UsageError):
            check(choice, TASKS)


def test_patterns_and_order():
    assert choose("task", ("rnn-t*", "cnn*y"), TASKS) == ["cnn-tiny", "rnn-tiny"]


@pytest.mark.parametrize(
    ("value", "threads"), [("", None), (" ", None), ("4", 4), (" 4 ", 4), ("4,2", 4), ("3, +2", 3)]
)
def test_numbers_of_threads_mean_what_openmp_says(value, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads_asked() == threads
    check(Choice(environment="stock"), {})


@pytest.mark.parametrize(
    "value", ["0", "-1", "four", "4,", "4,0", "2.5", "1e3", "4;2", "1_0", "٤", "99999999999"]
)
def test_numbers_of_threads_that_mean_nothing_are_refused(value, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    with pytest.raises(UsageError, match="must be a whole number, at least 1, or several by"):
        check(Choice(environment="stock"), {})
    check(Choice(), {})  # where it does not reach the workers
