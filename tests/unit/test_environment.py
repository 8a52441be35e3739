"""What of a process environment workers get, and what of it is told."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.store import fingerprint, publishing
from suite.worker.environment import (
    CONTROLLED,
    STOCK,
    disclosed,
    environment,
    less_precise,
    own_cache,
    settings,
)
from suite.worker.variables import CHANGES, FAMILIES, NUMBERS, PLACES, THREADS
from tests.sample_run import sample_run

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, "SECRET")
        if name not in CHANGES and name not in PLACES:
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


def test_a_variable_that_is_not_known_is_not_published(tmp_path):
    run = sample_run(tmp_path)
    known = dict.fromkeys((*CHANGES, *publishing.SETTINGS), "1")
    with_token = known | {"TF_TOKEN_x": "SECRET"}
    for variables, told in ((known, 0), (with_token, 1)):
        found = replace(run, environment=run.environment.model_copy(update={"settings": variables}))
        problems = [each for each in publishing.problems(found) if "secret" in each]
        assert len(problems) == told
        assert "SECRET" not in str(problems)


def test_a_quota_is_told_and_gives_the_threads(monkeypatch):
    assert fingerprint.QUOTA not in fingerprint.fingerprint([], "cpu").settings
    monkeypatch.setattr("suite.worker.environment.cpu_quota", lambda: 1.5)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)))
    told = fingerprint.fingerprint([], "cpu")
    assert (told.threads, told.settings["cpu_quota_cores"]) == (1, "1.5")
    assert environment("cpu")["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ
