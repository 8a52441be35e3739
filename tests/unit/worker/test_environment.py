"""What of a process environment workers get, and what of it is told."""

from __future__ import annotations

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backends.framework import NUMBERS, THREADS
from suite.store import fingerprint
from suite.worker.environment import (
    CONTROLLED,
    ENVIRONMENTS,
    SCIKIT_LEARN,
    STOCK,
    _tell_once,
    disclosed,
    environment,
    less_precise,
    own_cache,
    settings,
    shared_cache,
)
from suite.worker.variables import PLACES, changes, families

CHANGES, FAMILIES = changes(), families()
SLOW = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "DNNL_VERBOSE", "CUDA_LAUNCH_BLOCKING")
NARROW = ("ONEDNN_DEFAULT_FPMATH_MODE", "NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG")
LOADED = ("LD_PRELOAD", "TBB_VERSION", "CUDNN_LOGLEVEL_DBG", "TF_ENABLE_ONEDNN_OPTS")


@pytest.mark.parametrize("name", [*SLOW, *NARROW, *LOADED])
def test_what_a_framework_reads_is_kept_from_controlled_workers_and_told_of_stock(
    name, monkeypatch
):
    monkeypatch.setenv(name, "AVX2")
    assert name not in environment("cpu")
    assert name not in disclosed("cpu", CONTROLLED)
    for share in (1, 2):  # parity is asked of what is timed
        assert environment("cpu", share, kind=STOCK)[name] == "AVX2"
    assert disclosed("cpu", STOCK)[name] == "AVX2"


@given(st.sampled_from(FAMILIES), st.text("ABCXYZ_", min_size=1, max_size=12))
def test_what_begins_like_them_is_kept_away_too_and_never_told(begin, rest):
    name = f"{begin}{rest}"
    assume(name not in CHANGES and name not in PLACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, "SECRET")
        assert name not in environment("cpu")
        assert environment("cpu", kind=STOCK)[name] == "SECRET"
        assert "SECRET" not in str(disclosed("cpu", STOCK))
        assert name not in disclosed("cpu", STOCK)


def test_all_that_is_set_for_workers_is_known():
    for device in ("cpu", "cuda"):
        for early in (True, False):
            assert settings(device, preallocated=early).keys() <= CHANGES.keys()
    assert {*SLOW, *NARROW, *LOADED} <= CHANGES.keys()
    assert not [name for name in CHANGES if "TOKEN" in name or "KEY" in name.split("_")[-1:]]


@pytest.mark.parametrize("name", ["XLA_FLAGS", "TF_XLA_FLAGS"])
@pytest.mark.parametrize("in_file", [False, True])
def test_the_users_flags_are_joined_with_ours(name, in_file, monkeypatch, tmp_path):
    theirs, ours = "--xla_cpu_enable_fast_math=true --a=/srv/b/c", "--ours=1"
    (tmp_path / "flags").write_text(theirs.replace(" ", "\n"))
    monkeypatch.setenv(name, str(tmp_path / "flags") if in_file else theirs)
    found = environment("cpu", cache={name: ours}, kind=STOCK)
    assert found[name] == f"{theirs} {ours}"
    assert disclosed("cpu", STOCK)[name] == "--xla_cpu_enable_fast_math=true --a=c"
    assert environment("cpu", cache={name: ours})[name] == ours


def test_the_users_folder_of_what_was_compiled_is_neither_used_nor_told(monkeypatch, tmp_path):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/srv/theirs")
    monkeypatch.setenv("TRITON_CACHE_DIR", "/srv/theirs")
    found = environment("cpu", cache=own_cache(tmp_path / "ours"), kind=STOCK)
    assert found["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "ours")
    assert "theirs" not in str(found.values())
    assert "theirs" not in str(disclosed("cpu", STOCK))


def test_what_the_coordinators_own_imports_set_is_not_the_users(monkeypatch):
    for name in SCIKIT_LEARN:
        monkeypatch.delenv(name, raising=False)
    before = disclosed("cpu", STOCK)
    monkeypatch.setattr("os.environ", dict(os.environ) | SCIKIT_LEARN)
    assert disclosed("cpu", STOCK) == before
    assert not SCIKIT_LEARN.keys() & environment("cpu", kind=STOCK).keys()
    monkeypatch.setattr("os.environ", dict(os.environ) | {"KMP_INIT_AT_FORK": "TRUE"})
    assert disclosed("cpu", STOCK)["KMP_INIT_AT_FORK"] == "TRUE"


def test_workers_beside_each_other_divide_the_threads_of_stock_too(monkeypatch):
    monkeypatch.setattr("suite.worker.environment.threads", lambda: 8)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "KMP_AFFINITY"):
        assert CHANGES[name] == THREADS
        monkeypatch.setenv(name, "64")
    both = environment("cpu", 2, kind=STOCK)
    assert both["OMP_NUM_THREADS"] == both["NPROC"] == "4"
    assert not {"MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "KMP_AFFINITY"} & both.keys()
    assert environment("cpu", kind=STOCK)["MKL_NUM_THREADS"] == "64"


def test_what_makes_numbers_less_precise_is_known_by_device(monkeypatch):
    for name, value in (
        ("NVIDIA_TF32_OVERRIDE", "1"),
        ("ONEDNN_DEFAULT_FPMATH_MODE", "BF16"),
        ("XLA_FLAGS", "--xla_dump_to=/srv/x --xla_cpu_enable_fast_math=true"),
        ("OMP_NUM_THREADS", "2"),
    ):
        monkeypatch.setenv(name, value)
    assert CHANGES["NVIDIA_TF32_OVERRIDE"] == NUMBERS
    told = less_precise("cpu", 2, STOCK)
    assert {part.partition("=")[0] for part in told.split(", ")} == {
        "ONEDNN_DEFAULT_FPMATH_MODE",
        "XLA_FLAGS",
    }
    assert "srv" not in told
    assert "NVIDIA_TF32_OVERRIDE=1" in less_precise("cuda", 1, STOCK)
    assert less_precise("cuda", 1, CONTROLLED) == less_precise("cpu", 2, CONTROLLED) == ""


def test_a_quota_is_told_and_gives_the_threads(monkeypatch):
    assert fingerprint.QUOTA not in fingerprint.fingerprint([], "cpu").settings
    monkeypatch.setattr("suite.worker.environment.cpu_quota", lambda: 1.5)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    told = fingerprint.fingerprint([], "cpu")
    assert (told.threads, told.settings["cpu_quota_cores"]) == (1, "1.5")
    assert environment("cpu")["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.parametrize("kind", ENVIRONMENTS)
def test_jax_takes_its_part_of_a_gpu_at_once_only_where_times_are_measured(monkeypatch, kind):
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    monkeypatch.delenv(name, raising=False)
    timed = settings("cuda", kind=kind, preallocated=True)
    assert name not in timed
    assert 0 < float(timed["XLA_PYTHON_CLIENT_MEM_FRACTION"]) < 0.3  # of four installations
    assert settings("cuda", kind=kind)[name] == "false"
    assert name not in settings("cpu", kind=kind)
    assert timed.keys() <= disclosed("cuda", kind).keys()


def test_what_the_user_set_holds_in_stock(monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.4")
    timed = settings("cuda", kind=STOCK, preallocated=True)
    assert timed["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.4"


def test_on_a_gpu_xla_times_no_kernels_where_nothing_is_timed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shared = shared_cache("jax-1.0", "cuda")
    flags = {"--xla_gpu_autotune_level=0", "--xla_gpu_enable_triton_gemm=false"}
    assert set(shared["XLA_FLAGS"].split()) == flags
    assert "XLA_FLAGS" not in shared_cache("jax-1.0", "cpu")
    own = own_cache(tmp_path / "compiled")
    assert "XLA_FLAGS" not in own
    assert {"JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"} <= own.keys()
    timed = environment("cuda", cache=own, preallocated=True)
    assert own.items() <= timed.items()


@pytest.mark.parametrize("name", ["a b", 'a"b', "a'b", "a\\b", "a\nb", "a=b,c"])
def test_xla_gets_one_flag_whatever_the_folder_is_called(name, tmp_path):
    found = own_cache(tmp_path / name)["TF_XLA_FLAGS"]
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
    _tell_once.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / taken))
    assert shared_cache("jax-1", "cpu") == {}
    assert "--xla_gpu_autotune_level=0" in shared_cache("jax-2", "cuda")["XLA_FLAGS"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("tribench cannot be written; XDG_CACHE_HOME can name another folder")


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


def test_a_long_value_is_told_at_once(monkeypatch):
    # The time grew with the square of its length: of 200,000 signs it did not end.
    monkeypatch.setenv("OMP_PLACES", "{0:4}" * 40_000)
    assert disclosed("cpu", STOCK)["OMP_PLACES"] == "{0:4}" * 40_000
