"""The process boundary: whatever a worker does, the coordinator gets an answer or a reason."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite import catalogue
from suite.crew import Crew, Roster
from suite.material import Material
from suite.plan import Choice, lanes
from suite.store.directory import StoreError
from suite.store.lock import Lock
from suite.store.writing import WriteError
from suite.worker import adapters
from suite.worker.adapters import Adapter
from suite.worker.channel import MOST_BYTES, Channel, Closed, Garbled, Silent
from suite.worker.discovery import Arm
from suite.worker.environment import CONTROLLED, STOCK, disclosed, environment
from suite.worker.errors import described
from suite.worker.host import NO_LIMITS, Limits, Worker, WorkerError, WorkerLost
from tests.conftest import PLUGINS, write_script

STEPS = {"task": "rnn-tiny", "phase": "train", "steps": 4}


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    return Material(catalogue.tasks()["rnn-tiny"], 0, tmp_path_factory.mktemp("material"))


@pytest.fixture
def member(material, tmp_path, monkeypatch):
    """Start a scripted worker that has built its task: ``member({...script}, limits)``."""
    adapter = Adapter(
        name="scripted",
        target="",
        precisions=("float32",),
        executions=("eager",),
        framework="numpy",
    )
    arm = Arm(name="scripted", interpreter=sys.executable, adapter=adapter)
    crews = []

    def start(script: dict, limits: Limits = NO_LIMITS) -> Worker:
        monkeypatch.setenv("PYTHONPATH", str(PLUGINS / "scripted"))
        monkeypatch.setenv("SCRIPT", str(write_script(tmp_path, {"scripted": script})))
        crews.append(Crew(Roster(limits), tmp_path, "0"))
        lane = lanes(Choice(), [arm], "float32")[0]
        crews[-1].build(lane, material, material.initial)
        worker = crews[-1].member(lane).worker
        worker.call("place", task="rnn-tiny", size=64)
        return worker

    yield start
    for crew in crews:
        crew.close()


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
def test_a_worker_that_sends_no_answer_is_lost_and_says_why(action, words, member):
    worker = member({"do": action, "at": 3})
    with pytest.raises(WorkerLost, match=words) as lost:
        worker.call("block", **STEPS)
    assert str(lost.value).endswith("; see scripted-0.log")
    assert worker.process.poll() is not None


def test_a_worker_that_hangs_is_ended_whatever_signals_it_ignores(member):
    worker = member({"do": "hang", "at": 3})
    began = time.monotonic()
    with pytest.raises(WorkerLost, match=r"gave no answer to block within 0\.5 s and was ended"):
        worker.call("block", limit_seconds=0.5, **STEPS)
    assert time.monotonic() - began < 5
    assert worker.process.poll() is not None


def test_a_worker_survives_its_memory_limit(member):
    worker = member({"do": "allocate", "at": 3}, Limits(memory_bytes=2 << 30))
    with pytest.raises(WorkerError, match="out of memory: MemoryError: Unable to allocate"):
        worker.call("block", **STEPS)
    assert worker.call("block", **STEPS)["compiled"] == 0


def test_what_is_printed_is_no_answer(member):
    worker = member({"do": "babble", "at": 3})
    assert worker.call("block", **STEPS)["seconds"] == pytest.approx(0.04)
    assert worker.log.read_bytes().count(bytes(range(256)) * 16) == 2


def test_an_interpreter_that_cannot_be_started_is_a_lost_worker(tmp_path):
    with pytest.raises(WorkerLost, match=r"cannot be started: .*No such file"):
        Worker(str(tmp_path / "python"), tmp_path / "log")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError(), "out of memory", "MemoryError: no message"),
        (
            RuntimeError("first\nDefaultCPUAllocator: can't allocate memory\nlast"),
            "out of memory",
            "RuntimeError: DefaultCPUAllocator: can't allocate memory",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "WriteError",
            "[Errno 28] No space left",
        ),
        (OSError(errno.ENOENT, "No such file"), "FileNotFoundError", "[Errno 2] No such file"),
        (ValueError("bad \udcff " + "x" * 1000), "ValueError", "bad ? xx"),
        (KeyError("memory"), "KeyError", "'memory'"),
    ],
)
def test_errors_in_words(error, kind, message):
    found = described(error)
    assert found[0] == kind
    assert found[1].startswith(message)
    assert len(found[1]) <= 520
    found[1].encode()


def channels() -> tuple[Channel, int]:
    read, write = os.pipe()
    return Channel(read, os.open(os.devnull, os.O_WRONLY)), write


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_reason(content):
    channel, write = channels()
    os.write(write, content)
    os.close(write)
    try:
        message = channel.receive(1)
    except (Garbled, Closed):
        pass
    else:
        assert isinstance(message, dict)
    channel.close()


def test_messages_come_one_by_one():
    channel, write = channels()
    os.write(write, b'{"a": NaN}\n{"b"')
    assert str(channel.receive(1)) == "{'a': nan}"
    with pytest.raises(Silent):
        channel.receive(0.01)
    os.write(write, b": 2}\n")
    assert channel.receive(1) == {"b": 2}
    os.close(write)
    with pytest.raises(Closed):
        channel.receive(1)
    channel.close()


def test_the_longest_message_is_far_from_the_limit():
    losses = {"value": {"losses": [1 / 3] * 10_000, "seconds": 1.0}}
    assert len(json.dumps(losses)) < MOST_BYTES / 50


def test_the_machines_lock_says_who_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell(Path("/runs/x"))
        with pytest.raises(StoreError, match=rf"\(process {os.getpid()}, /runs/x\)"):
            Lock()
    Lock().close()


def test_a_log_that_cannot_be_written_ends_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        Worker(sys.executable, tmp_path / "file" / "log")


def test_stock_is_what_the_user_has_set_and_is_told_without_folders(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", "/home/someone/lib/libjemalloc.so.2:/opt/other.so")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    stock, controlled = environment("cpu", kind=STOCK), environment("cpu", kind=CONTROLLED)
    assert stock["OMP_NUM_THREADS"] == "7"
    assert stock["LD_PRELOAD"].startswith("/home")
    assert "MALLOC_TOP_PAD_" not in stock
    assert "LD_PRELOAD" not in controlled
    assert controlled["OMP_NUM_THREADS"] != "7"
    told = disclosed("cpu", STOCK)
    assert told["LD_PRELOAD"] == "libjemalloc.so.2:other.so"
    assert told["environment"] == "stock"
    assert "environment" in disclosed("cpu", CONTROLLED)
    # What shares the cores is not timed.
    assert environment("cpu", 2, kind=STOCK)["OMP_NUM_THREADS"] != "7"


def test_a_package_that_cannot_be_read_hides_no_adapter(tmp_path, monkeypatch):
    for name, text in (("torn", "no equals sign"), ("whole", "[tribench.backends]\na = b:C")):
        folder = tmp_path / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[other]\n{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert adapters.targets() == adapters.OURS | {"a": "b:C"}


def test_only_the_adapters_that_are_wanted_are_loaded(monkeypatch):
    loaded = []

    def load(name):
        loaded.append(name)
        raise ImportError(f"no {name}")

    monkeypatch.setattr(adapters, "load", load)
    found = {entry["name"]: entry["why"] for entry in adapters.survey(wanted=("num*", "jax"))}
    assert loaded == ["numpy", "jax"]
    assert found["jax"] == "ImportError: no jax"
    assert found["torch"] == found["tensorflow"] == "not asked for"
    assert {*adapters.targets()} == {*found}
