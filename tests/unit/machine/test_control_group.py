"""Limits of control groups, read from made-up trees."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from suite.doctor import machine
from suite.machine import control_group
from suite.plan import estimate
from suite.store import fingerprint
from suite.worker import environment

V2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = (
    "31 23 0:27 {start} /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 23 0:28 {start} /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
GIB = 1 << 30
MACHINE = 64 * GIB


def tree(root, cgroup, mounts, files):
    """A root folder with /proc/self and the files below /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(cgroup)
    (root / "proc/self/mountinfo").write_text(f"22 1 0:21 / /proc rw - proc proc rw\n{mounts}\n")
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


CASES = {
    "version 2, the root's": (
        ("0::/\n", V2, {"cpu.max": "150000 100000", "memory.max": f"{4 * GIB}"}),
        (1.5, 4 * GIB),
    ),
    "version 2, its own": (
        ("0::/a/b\n", V2, {"a/b/cpu.max": "50000 100000", "a/b/memory.max": f"{GIB}"}),
        (0.5, GIB),
    ),
    "version 2, one around it": (
        (
            "0::/a/b\n",
            V2,
            {
                "a/cpu.max": "100000 50000",
                "a/b/cpu.max": "max 100000",
                "a/memory.max": f"{2 * GIB}",
                "a/b/memory.max": "max",
                "other/memory.max": "1",
            },
        ),
        (2.0, 2 * GIB),
    ),
    "version 1, nested": (
        (
            "5:memory:/x/y\n4:cpu,cpuacct:/x/y\n0::/\n",
            V1.format(start="/"),
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/x/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/x/y/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/x/y/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/x/y/memory.limit_in_bytes": f"{3 * GIB}",
            },
        ),
        (3.0, 3 * GIB),
    ),
    "version 1, a container whose path is the host's": (
        (
            "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
            V1.format(start="/docker/abc"),
            {
                "cpu,cpuacct/cpu.cfs_quota_us": "200000",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
                "memory/memory.limit_in_bytes": f"{GIB}",
            },
        ),
        (2.0, GIB),
    ),
    "both, version 2 without controllers": (
        (
            "5:memory:/x\n0::/x\n",
            f"{V1.format(start='/')}{V2.replace('/cgroup rw', '/cgroup/unified rw')}",
            {"memory/x/memory.limit_in_bytes": f"{GIB}", "unified/x/cgroup.procs": "1"},
        ),
        (None, GIB),
    ),
    "a mount point with a space": (
        ("0::/\n", V2.replace("/sys/fs/cgroup", r"/sys/fs/cgroup/a\040b"), {"a b/cpu.max": "1 1"}),
        (1.0, MACHINE),
    ),
    "a path outside of what is mounted": (
        ("0::/../other\n", V2, {"memory.max": f"{GIB}"}),
        (None, GIB),
    ),
    "none": (("0::/a\n", V2, {}), (None, MACHINE)),
    "nonsense": (("\n::\nx", "a - b\n1 2 - cgroup2", {"cpu.max": "x y"}), (None, MACHINE)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_limit_counts_of_the_group_and_those_around_it(case, tmp_path, monkeypatch):
    made, (cpus, memory) = CASES[case]
    monkeypatch.setattr(control_group, "ROOT", tree(tmp_path, *made))
    assert control_group.cpus() == cpus
    assert control_group.memory_bytes(MACHINE) == memory
    assert control_group.memory_bytes(GIB // 2) == GIB // 2  # of a smaller machine


def test_where_nothing_can_be_read_nothing_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(control_group, "ROOT", tmp_path)
    assert control_group.cpus() is None
    assert control_group.throttled_seconds() is None
    assert control_group.memory_bytes(MACHINE) == MACHINE


def test_files_that_were_read_are_no_memory_in_use(tmp_path, monkeypatch):
    files = {
        "a/memory.max": f"{4 * GIB}",
        "a/memory.current": f"{3 * GIB}",
        "a/memory.stat": f"anon {GIB}\ninactive_file {2 * GIB}",
        "a/cpu.stat": "usage_usec 1\nthrottled_usec 2500000",
    }
    monkeypatch.setattr(control_group, "ROOT", tree(tmp_path, "0::/a\n", V2, files))
    assert control_group.available_bytes(MACHINE) == 3 * GIB
    assert control_group.available_bytes(GIB) == GIB
    assert control_group.throttled_seconds() == 2.5


def test_version_1_counts_throttling_in_nanoseconds(tmp_path, monkeypatch):
    files = {"cpu,cpuacct/x/cpu.stat": "nr_throttled 3\nthrottled_time 1500000000"}
    root = tree(tmp_path, "4:cpu,cpuacct:/x\n", V1.format(start="/"), files)
    monkeypatch.setattr(control_group, "ROOT", root)
    assert control_group.throttled_seconds() == 1.5


@pytest.fixture
def limited(tmp_path, monkeypatch):
    """This process in a group with 2.5 of 16 cores and 8 of 64 GiB."""
    files = {"a/cpu.max": "250000 100000", "a/memory.max": f"{8 * GIB}"}
    monkeypatch.setattr(control_group, "ROOT", tree(tmp_path, "0::/a\n", V2, files))
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(16)))
    memory = SimpleNamespace(total=MACHINE, available=MACHINE // 2)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    environment.cpu_quota.cache_clear()
    yield
    environment.cpu_quota.cache_clear()


def test_all_who_ask_for_cores_and_memory_see_the_limits(limited, monkeypatch):
    assert environment.threads() == 2
    assert environment.settings("cpu")["OMP_NUM_THREADS"] == "2"
    told = fingerprint.fingerprint([], "cpu")
    assert (told.threads, told.memory_bytes) == (2, 8 * GIB)
    assert told.settings["cpu_quota_cores"] == "2.5"
    monkeypatch.setattr(estimate, "threads", lambda: 16)
    assert estimate.parity_parts([]) == 1  # 8 GiB, a part takes 5
    monkeypatch.setattr(machine, "SECONDS", 0.01)
    monkeypatch.setattr(machine, "CORES_SECONDS", 0.01)
    monkeypatch.setattr(machine.cores, "known_work", lambda: None)
    seen = machine.read()
    assert (seen.quota_cores, seen.threads) == (2.5, 2)
    assert (seen.memory_bytes, seen.available_bytes) == (8 * GIB, 8 * GIB)
