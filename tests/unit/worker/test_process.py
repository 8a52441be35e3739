"""The process boundary: whatever a worker does, the coordinator gets an answer or a reason."""

from __future__ import annotations

import errno
import os
import sys
import time

import pytest

from suite.engine.inputs import TaskInputs
from suite.engine.pool import LiveWorkers, WorkerPool
from suite.files import WriteError
from suite.plan import catalogue
from suite.plan.configurations import configurations
from suite.plan.options import Choice
from suite.worker.adapters import Adapter
from suite.worker.answers import BlockTimes
from suite.worker.installations import Installation
from suite.worker.process import (
    NO_LIMITS,
    Limits,
    Worker,
    WorkerError,
    WorkerLost,
    WorkerSettings,
)
from tests.conftest import PLUGINS, write_script

STEPS = {"task": "rnn-tiny", "phase": "train", "size": 64, "steps": 4}


@pytest.fixture(scope="module")
def task_inputs(tmp_path_factory):
    return TaskInputs(catalogue.tasks()["rnn-tiny"], 0, tmp_path_factory.mktemp("material"))


@pytest.fixture
def worker_of(task_inputs, tmp_path, monkeypatch):
    """Start a scripted worker that has built its task: ``worker_of({...script}, limits)``."""
    adapter = Adapter(
        name="scripted",
        target="",
        precisions=("float32",),
        executions=("eager",),
        framework="numpy",
    )
    installation = Installation(name="scripted", interpreter=sys.executable, adapter=adapter)
    pools = []

    def start(script: dict, limits: Limits = NO_LIMITS) -> Worker:
        monkeypatch.setenv("PYTHONPATH", str(PLUGINS / "scripted"))
        monkeypatch.setenv("SCRIPT", str(write_script(tmp_path, {"scripted": script})))
        settings = WorkerSettings(limits=limits)
        pools.append(WorkerPool(LiveWorkers(), tmp_path, "0", settings))
        configuration = configurations(Choice(), [installation], "float32")[0]
        program = pools[-1].program(configuration, task_inputs, task_inputs.initial)
        program.put(64)
        return program.worker

    yield start
    for pool in pools:
        pool.close()


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("no json", "sent a line that is not JSON as its answer to block and was ended"),
        ("no utf-8", "sent bytes that are not UTF-8 as"),
        ("no object", "sent JSON that is not an object as"),
        ("deep", "sent a line that is not JSON as"),
        ("another's answer", "sent JSON that answers nothing as"),
        ("no answer", "sent JSON that answers nothing as"),
        ("flood", "sent a line of more than 16 MiB as"),
        ("close", "was ended|closed its pipe|ended with exit code"),
        ("die", "the worker was killed by SIGKILL during block"),
        ("exit", "the worker ended with exit code 0 during block"),
    ],
)
def test_a_worker_that_sends_no_answer_is_lost_and_says_why(action, words, worker_of):
    worker = worker_of({"do": action, "at": 3})
    with pytest.raises(WorkerLost, match=words) as lost:
        worker.call("block", **STEPS)
    assert str(lost.value).endswith("; see scripted-0.log")
    assert worker.process.poll() is not None


def test_a_worker_that_hangs_is_ended_whatever_signals_it_ignores(worker_of):
    worker = worker_of({"do": "hang", "at": 3})
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=r"gave no answer to block within 0\.5 s and was ended"):
        worker.call("block", limit_seconds=0.5, **STEPS)
    assert time.monotonic() - began < 5
    assert worker.process.poll() is not None


def test_a_worker_survives_its_memory_limit(worker_of):
    worker = worker_of({"do": "allocate", "at": 3}, Limits(memory_bytes=2 << 30))
    with pytest.raises(WorkerError, match="out of memory: MemoryError: Unable to allocate"):
        worker.call("block", **STEPS)
    assert BlockTimes(*worker.call("block", **STEPS)).compiled == 0


def test_what_is_printed_is_no_answer(worker_of):
    worker = worker_of({"do": "babble", "at": 3})
    assert BlockTimes(*worker.call("block", **STEPS)).seconds == pytest.approx(0.04)
    assert worker.log.read_bytes().count(bytes(range(256)) * 16) == 2


def test_an_interpreter_that_cannot_be_started_is_a_lost_worker(tmp_path):
    with pytest.raises(WorkerLost, match=r"cannot be started: .*No such file"):
        Worker(str(tmp_path / "python"), tmp_path / "log")


@pytest.mark.parametrize("left", [0, 1])
def test_a_worker_that_gets_no_pipe_is_lost(left, tmp_path, monkeypatch):
    pipes, opened = os.pipe, []

    def pipe():
        if len(opened) == left:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        opened.append(pipes())
        return opened[-1]

    monkeypatch.setattr(os, "pipe", pipe)
    with pytest.raises(WorkerLost, match="the worker cannot be started: Too many open files"):
        Worker(sys.executable, tmp_path / "log")
    for pair in opened:
        for each in pair:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(each)


def test_a_log_that_cannot_be_written_ends_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        Worker(sys.executable, tmp_path / "file" / "log")
