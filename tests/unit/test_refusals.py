"""What a system may refuse, and what is left where it does."""

from __future__ import annotations

import codecs
import errno
import fcntl
import os
import sys
from pathlib import Path
from threading import Thread

import pytest

from backends.base import threads_asked
from suite import catalogue, outputs
from suite.crew import Crew, Roster
from suite.material import Material
from suite.measure import cores
from suite.plan import Choice, UsageError, check, lanes
from suite.store import directory
from suite.store.directory import StoreError
from suite.store.lock import Lock
from suite.worker import adapters, environment, oom
from suite.worker.adapters import Adapter
from suite.worker.discovery import Arm
from suite.worker.host import WorkerLost
from tests.conftest import PLUGINS, write_script

SOURCES = Path(__file__).parents[2]


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


# Cores


def known_work() -> list[float | None]:
    """What it says; nothing if it says nothing for long."""
    found: list[float | None] = []
    thread = Thread(target=lambda: found.append(cores.known_work()), daemon=True)
    thread.start()
    thread.join(20)
    return found


@pytest.mark.parametrize("refused", [(0, 1, 2, 3), (0,), (3,)])
def test_cores_that_refuse_a_thread_are_not_waited_for(refused, monkeypatch):
    def bind(pid, wanted):
        if {*wanted} & {*refused}:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", bind)
    assert known_work() == [None]


def test_threads_that_cannot_begin_are_not_waited_for(monkeypatch):
    class Third(Thread):
        begun = 0

        def start(self):
            Third.begun += 1
            if Third.begun == 3:
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3})
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, wanted: None)
    monkeypatch.setattr(cores, "Thread", Third)
    assert known_work() == [None]


def test_cores_that_are_not_told_are_no_error(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", refusing(errno.EPERM))
    assert cores.known_work() is None


# Locks


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EIO, errno.EACCES])
def test_a_lock_that_is_refused_is_nobodys(number, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell("/runs/of/one/that/has/ended")
    why = os.strerror(number)
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(StoreError, match=f"cannot be locked: {why}; set TMPDIR to") as refused:
        Lock()
    assert "another" not in str(refused.value)
    with pytest.raises(StoreError, match=f"x cannot be locked: {why}; runs must lie on"):
        directory.create(tmp_path, "x")


def test_a_lock_keeps_no_name_of_who_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Lock() as lock:
        lock.tell(tmp_path / "odd\udcff")
        assert lock.path.read_bytes().endswith(b"/odd\xff")
        with pytest.raises(StoreError, match="odd\udcff"):
            Lock()
    assert lock.path.read_bytes() == b""


# Memory


@pytest.mark.parametrize(
    ("group", "file"),
    [
        ("0::/a/b", "a/b/memory.events"),
        ("0::/a/b", "memory.events"),  # a container that does not see where it is
        ("7:cpu:/\n4:hugetlb,memory:/a b\n0::/", "memory/a b/memory.oom_control"),
        ("4:memory:/a", "memory/memory.oom_control"),
        ("", "vmstat"),
    ],
)
@pytest.mark.parametrize("more", [0, 1])
def test_what_the_system_killed_for_want_of_memory_is_told(
    more, group, file, tmp_path, monkeypatch
):
    told = tmp_path / "groups" / file
    told.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cgroup").write_text(f"{group}\n")
    monkeypatch.setattr(oom, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(oom, "MOUNTED", tmp_path / "groups")
    monkeypatch.setattr(oom, "EVERYWHERE", tmp_path / "groups" / "vmstat")
    told.write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS / "scripted"))
    script = {"scripted": {"do": "die", "at": 3}}
    monkeypatch.setenv("SCRIPT", str(write_script(tmp_path, script)))
    adapter = Adapter(name="scripted", target="", precisions=("float32",), executions=("eager",))
    arm = Arm(name="scripted", interpreter=sys.executable, adapter=adapter)
    material = Material(catalogue.tasks()["rnn-tiny"], 0, tmp_path)
    (lane,) = lanes(Choice(), [arm], "float32")
    with Crew(Roster(), tmp_path, "0") as crew:
        crew.build(lane, material, material.initial)
        worker = crew.member(lane).worker
        worker.call("place", task="rnn-tiny", size=64)
        told.write_text(f"low 0\noom 4\noom_kill {2 + more}\noom_group_kill 0\n")
        with pytest.raises(WorkerLost) as lost:
            worker.call("block", task="rnn-tiny", phase="train", steps=4)
    killed = "the worker was killed by SIGKILL during block; see scripted-0.log"
    assert str(lost.value) == (f"out of memory: {killed}" if more else killed)


# Numbers of threads


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


# Packages


def test_what_is_left_of_packages_is_no_version(tmp_path, monkeypatch):
    for name, text in (
        ("jaxlib-9.9", "Name: jaxlib\n"),
        ("jaxlib-1.0", "Name: jaxlib\nVersion: 1.0\n"),
        ("-axlib-0.9", ""),
        ("", ""),
    ):
        folder = tmp_path / f"{name}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(text)
    (tmp_path / ".dist-info" / "entry_points.txt").write_text("[tribench.backends]\nx = y:Z\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = [entry for entry in adapters.survey(wanted=("numpy",)) if entry["name"] == "numpy"]
    assert adapters._companions("jax")["jaxlib"] == "1.0"
    assert all(isinstance(version, str) for version in found[0]["versions"].values())
    assert adapters.targets()["x"] == "y:Z"


# Folders


@pytest.mark.parametrize("name", ["a b", 'a"b', "a'b", "a\\b", "a\nb", "a=b,c"])
def test_xla_gets_one_flag_whatever_the_folder_is_called(name, tmp_path):
    found = environment.own_cache(tmp_path / name)["TF_XLA_FLAGS"]
    flag, _, quoted = found.partition("=")
    assert flag == "--tf_xla_persistent_cache_directory"
    assert (quoted[0], quoted[-1]) == ('"', '"')
    plain = quoted[1:-1].replace('\\"', "\0").replace("\\\\", "\1")
    assert "\\" not in plain
    assert '"' not in plain
    assert plain.replace("\0", '"').replace("\1", "\\") == str(tmp_path / name)


@pytest.mark.parametrize("taken", ["file", "file/below", "/proc/nothing"])
def test_no_folder_for_what_is_compiled_is_said_once(taken, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    environment._tell_once.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / taken))
    assert environment.shared_cache("jax-1", "cpu") == {}
    assert "--xla_gpu_autotune_level=0" in environment.shared_cache("jax-2", "cuda")["XLA_FLAGS"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("tribench cannot be written; XDG_CACHE_HOME can name another folder")


# Outputs


def test_every_sign_of_the_source_has_words_in_ascii():
    told = {sign for path in (SOURCES / "suite").rglob("*.py") for sign in path.read_text("utf-8")}
    shown = {sign for sign in told if not sign.isascii()} - {*"●■◆▲▼★○□◇△▽☆‖θΣα₆₄₀ᵗᵀΦπ√β"}
    assert len(shown) > 5
    codecs.register_error("tribench", outputs._plain)
    for sign in shown:
        words = sign.encode("ascii", "tribench").decode()
        assert "?" not in words, sign
    assert "x\udcff".encode("utf-8", "tribench") == b"x\xff"
    assert "\ud800\U0001f600".encode("ascii", "tribench") == b"??"
